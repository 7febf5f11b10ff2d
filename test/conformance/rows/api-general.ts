/** RFC 8991 §2.2, §2.3.2, §2.3.3: asynchrony, parameters, registration. */
export {};
