/** RFC 8990 §2.6, §2.7: constants, session IDs. */
export {};
