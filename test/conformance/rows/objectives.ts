/** RFC 8990 §2.10: objectives. */
export {};
