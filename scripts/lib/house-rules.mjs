/**
 * The rules of this house that no general rule set knows, as ESLint configuration: which folder may import which,
 * and no ambient time or randomness outside the two folders that provide it. `test/tooling/house-rules.test.ts`
 * shows that each finds its violation.
 */
import { dirname, join, relative, resolve, sep } from 'node:path';

/**
 * What each folder may import besides itself; nothing else of the project. `folder/file` allows that file only.
 * DESIGN in short: the RFC's language at the bottom, users at the top, no way back up.
 */
export const mayImport = {
  'src/protocol': [],
  'src/runtime': ['src/protocol'],
  'src/substrate': ['src/protocol', 'src/runtime'],
  'src/actors': ['src/protocol', 'src/runtime', 'src/substrate/types', 'src/substrate/own-address'],
  'src/workers': ['src/protocol', 'src/runtime', 'src/substrate', 'src/actors'],
  'src/api': ['src/protocol', 'src/runtime', 'src/substrate', 'src/workers'],
  'src/capture': ['src/protocol'],
  'src/cli': ['src/api', 'src/capture', 'src/inspector', 'src/protocol'],
  // In the browser: what the server tells, and the model made of it.
  'src/inspector/page': ['src/inspector/model', 'src/inspector/feed'],
  'src/inspector/model': ['src/inspector/feed'],
  'src/inspector': ['src/api', 'src/protocol', 'src/runtime'],
  // The public surface gathers what users need from the floors it stands in.
  'src/index': ['src/api', 'src/protocol', 'src/runtime', 'src/substrate', 'src/workers'],
  // Benchmarks measure what users get, and so import the package; the floors have a stricter rule below.
  bench: ['anima-grasp', 'src/protocol', 'src/substrate'],
  // The conformance suite knows no engine; only the adapter of this one does, and that as a user.
  'test/conformance/adapters': ['src/index', 'src/api/graspi/index'],
  'test/conformance': ['test/lab'],
};

const strip = (path) => path.replace(/\.[cm]?[jt]s$/, '');
const within = (path, folder) => path === folder || path.startsWith(`${folder}/`);

/** Says which import of the project is not allowed to the file it stands in. */
const folderImports = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      upward: '{{from}} may not import {{to}} (allowed: {{allowed}}).',
      self: 'Import the file itself, not the package: {{source}}.',
    },
  },
  create(context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/');
    // src/index.ts and the like are a unit of their own.
    const from = Object.keys(mayImport).find((unit) => within(strip(file), unit));
    if (from === undefined) return {};
    const allowed = [from, ...mayImport[from]];

    function check(node, source) {
      if (typeof source !== 'string') return;
      if (within(source, 'anima-grasp')) {
        if (!allowed.includes('anima-grasp')) context.report({ node, messageId: 'self', data: { source } });
        return;
      }
      if (!source.startsWith('.')) return;
      const target = strip(
        relative(context.cwd, resolve(dirname(join(context.cwd, file)), source))
          .split(sep)
          .join('/'),
      );
      // A URL of package.json or the like leads to no floor.
      if (!/^(src|test|bench|scripts)(\/|$)/.test(target)) return;
      if (allowed.some((unit) => within(target, unit))) return;
      const data = { from, to: target, allowed: mayImport[from].join(', ') || 'nothing of the project' };
      context.report({ node, messageId: 'upward', data });
    }

    const checkSource = (node) => check(node, node.source?.value);
    return {
      ImportDeclaration: checkSource,
      ExportNamedDeclaration: checkSource,
      ExportAllDeclaration: checkSource,
      ImportExpression: checkSource,
      TSImportType: checkSource,
      // A worker's entry point is an import too: new URL('./entry.js', import.meta.url)
      'NewExpression[callee.name="URL"][arguments.1.object.type="MetaProperty"]'(node) {
        check(node, node.arguments[0].value);
      },
    };
  },
};

export const housePlugin = { meta: { name: 'house' }, rules: { 'folder-imports': folderImports } };

const injected = 'Time and chance are injected: take a Clock or a RandomFill as an argument (src/runtime).';

const ambientGlobals = [
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'performance',
  'crypto',
].map((name) => ({ name, message: injected }));

const ambientProperties = [
  ['Date', 'now'],
  ['Math', 'random'],
  ['process', 'nextTick'],
  ['process', 'hrtime'],
  ['process', 'uptime'],
  ['AbortSignal', 'timeout'],
  ['Atomics', 'wait'],
  ['Atomics', 'waitAsync'],
].map(([object, property]) => ({ object, property, message: injected }));

const ambientModules = ['timers', 'timers/promises', 'perf_hooks'].flatMap((name) => [name, `node:${name}`]);
const chance = [
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
  'webcrypto',
  'default',
];

/** Node modules that reach the world; the pure floors take everything as arguments. */
const worldly = ['net', 'dgram', 'tls', 'fs', 'os', 'http', 'child_process', 'worker_threads'].flatMap(
  (name) => [name, `node:${name}`, `node:${name}/*`],
);

const ambientImports = {
  paths: [
    ...ambientModules.map((name) => ({ name, message: injected })),
    ...['crypto', 'node:crypto'].map((name) => ({ name, importNames: chance, message: injected })),
    { name: 'node:process', importNames: ['nextTick', 'hrtime', 'uptime'], message: injected },
  ],
};

const sleeps = [
  'NewExpression[callee.name="Promise"] > ArrowFunctionExpression > CallExpression[callee.name="setTimeout"]',
  'NewExpression[callee.name="Promise"] > ArrowFunctionExpression > BlockStatement[body.length=1] > ' +
    'ExpressionStatement > CallExpression[callee.name="setTimeout"]',
].map((selector) => ({ selector, message: 'No sleeps in tests: wait for an event, or use virtual time.' }));

/** To be spread into eslint.config.js; parses nothing by itself. */
export const houseRules = [
  {
    name: 'house/folders',
    files: ['src/**/*.ts', 'bench/**/*.ts', 'test/conformance/**/*.ts'],
    plugins: { house: housePlugin },
    rules: { 'house/folder-imports': 'error' },
  },
  {
    name: 'house/ambient',
    files: ['src/**/*.ts'],
    ignores: [
      'src/substrate/plain/**',
      'src/workers/**',
      // It lets the host take a turn so that promises settle; it reads no time.
      'src/runtime/simulated-clock.ts',
      // It runs in a browser, whose time it shows.
      'src/inspector/page/**',
    ],
    rules: {
      'no-restricted-globals': ['error', { globals: ambientGlobals, checkGlobalObject: true }],
      'no-restricted-properties': ['error', ...ambientProperties],
      'no-restricted-imports': ['error', ambientImports],
      'no-restricted-syntax': [
        'error',
        { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: injected },
        { selector: 'CallExpression[callee.name="Date"]', message: injected },
      ],
    },
  },
  {
    name: 'house/pure',
    files: [
      'src/protocol/**/*.ts',
      'src/capture/**/*.ts',
      'src/runtime/**/*.ts',
      'src/actors/**/*.ts',
      'src/inspector/model/**/*.ts',
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ambientImports.paths,
          patterns: [
            { group: worldly, message: 'Sockets, files and threads come in as ports of the substrate.' },
          ],
        },
      ],
    },
  },
  {
    name: 'house/text',
    files: ['src/inspector/page/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          'innerHTML',
          'outerHTML',
          'insertAdjacentHTML',
          'createContextualFragment',
          'write',
          'srcdoc',
        ].map((name) => ({
          selector: `MemberExpression[property.name="${name}"]`,
          message: 'What comes from the network is text, never markup: use dom.ts.',
        })),
      ],
    },
  },
  {
    name: 'house/floor',
    files: ['bench/floor.ts', 'bench/floors/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^(?!node:)', message: 'The floor is Node alone: it imports nothing of the project.' },
          ],
        },
      ],
    },
  },
  {
    name: 'house/tests',
    files: ['test/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...sleeps],
      'no-restricted-imports': [
        'error',
        {
          paths: ['timers/promises', 'node:timers/promises'].map((name) => ({
            name,
            importNames: ['setTimeout'],
            message: 'No sleeps in tests: wait for an event, or use virtual time.',
          })),
        },
      ],
    },
  },
];
