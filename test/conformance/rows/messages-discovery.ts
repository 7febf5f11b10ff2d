/** RFC 8990 §2.8.4, §2.8.5: M_DISCOVERY, M_RESPONSE. */
export {};
