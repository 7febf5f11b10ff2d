/** RFC 8994, RFC 8995, RFC 8085: what an ACP, BRSKI and UDP guidelines ask of a GRASP engine. */
export {};
