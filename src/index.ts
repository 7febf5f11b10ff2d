/** The public surface of anima-grasp: everything a user imports. Start reading here. */
export {};
