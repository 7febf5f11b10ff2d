/** The globals of Node that plain scripts use; TypeScript files learn theirs from @types/node. */
const names = ['console', 'process', 'setImmediate', 'setTimeout', 'URL', 'Buffer'];
export default Object.fromEntries(names.map((name) => [name, 'readonly']));
