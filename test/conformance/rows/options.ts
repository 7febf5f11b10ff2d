/** RFC 8990 §2.9: options. */
export {};
