/** The command line: every command with its options and help text, and how a run ends. */
import { setMaxListeners } from 'node:events';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { GRASP_DEF_LOOPCT, GRASP_DEF_TIMEOUT, MAX_PORT, MAX_UINT32 } from '../protocol/index.js';
import type { CommandContext, EngineExtra, EngineUse, Family, SharedOptions } from './command.js';
import { daemon, type DaemonOptions } from './commands/daemon.js';
import { decode } from './commands/decode.js';
import { decodeCapture, type CaptureOptions } from './commands/decode-capture.js';
import { demo, type DemoOptions } from './commands/demo.js';
import { discover, type DiscoverOptions } from './commands/discover.js';
import { flood, type FloodOptions } from './commands/flood.js';
import { getFlood, type GetFloodOptions } from './commands/get-flood.js';
import { inspect, type InspectOptions } from './commands/inspect.js';
import { negotiate, type NegotiateOptions } from './commands/negotiate.js';
import { offer, type OfferOptions } from './commands/offer.js';
import { publish, type PublishOptions } from './commands/publish.js';
import { selftest, type SelftestOptions } from './commands/selftest.js';
import { synchronize, type SynchronizeOptions } from './commands/synchronize.js';
import { Exit, describeFailure, usageError } from './exit.js';
import { DEFAULT_INSPECTOR_PORT, DEFAULT_LIMITS, type Clock, type Grasp, type Limits } from './api.js';
import type { CaptureOrigin, OpenedCapture } from './capture-source.js';
import { parseNumber } from './json-text.js';
import { Output, type Streams } from './output.js';
import type { Quantity } from './strategy.js';
import { parseHex, parseValue } from './values.js';

/** What a run needs of the world around it. */
export interface World extends Streams {
  readonly version: string;
  readonly processId: number;
  readonly clock: Clock;
  /** Aborts at SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** All of standard input as text. */
  stdin(): Promise<string>;
  /** Bytes of captured traffic. Rejects a CliError. */
  readonly openCapture: (origin: CaptureOrigin, signal: AbortSignal) => Promise<OpenedCapture>;
  startEngine(options: SharedOptions, use: EngineUse, extra?: EngineExtra): Promise<Grasp>;
  /** Shows a URL to the user. Rejects a CliError. */
  openBrowser(url: string): Promise<void>;
}

const VALUE_HELP = `
VALUE is JSON: '["NZD",300]', 42, '"text"', '{"key":[1,2.5]}'. Integers keep all their digits, 1.0 is a float.
What JSON cannot say: {"$bytes":"00ff"} {"$tag":[32,"urn:x"]} {"$map":[[1,"one"]]} {"$cbor":VALUE} (tag 24)
{"$float":"NaN"} {"$simple":19} {"$undefined":true}. With --cbor VALUE is one CBOR item in hex.
A VALUE that begins with - goes after --, e.g. grasp offer EX3 --insecure -- -5`;

const EXIT_HELP = `
Exit codes: 0 done; 1 no agreement, nobody found, or a code that came from a peer (1, 17-28, 31-37);
2 usage; 3 the engine could not start or run.`;

/** Runs one command line (without `node` and script). Resolves the exit code; never rejects. */
export async function run(argv: readonly string[], world: World): Promise<Exit> {
  // Every session of an offer listens.
  setMaxListeners(0, world.signal);
  let exit: Exit = Exit.done;
  const program = buildProgram(world, (code) => (exit = code));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    // Commander has told its own errors already; help and --version end here too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.done : Exit.usage;
    new Output(world, { json: false, verbose: argv.includes('--verbose') }).failure(error);
    return describeFailure(error).exit;
  }
}

function buildProgram(world: World, setExit: (exit: Exit) => void): Command {
  const program = new Command('grasp')
    .description(
      'GRASP (RFC 8990) on the command line: discover, negotiate, synchronize and flood objectives.',
    )
    .version(world.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => world.stdout(text), writeErr: (text) => world.stderr(text) })
    .showHelpAfterError('(grasp COMMAND --help tells the arguments and options)')
    .addHelpText('after', EXIT_HELP);

  const contextOf = (options: SharedOptions): CommandContext => ({
    output: new Output(world, { json: options.json === true, verbose: options.verbose === true }),
    signal: world.signal,
    processId: world.processId,
    clock: world.clock,
    inspect: options.inspect,
    openBrowser: (url) => world.openBrowser(url),
    startEngine: (use, extra) => world.startEngine(options, use, extra),
  });

  networked(program.command('discover'))
    .description('Who offers an objective: one line for each locator, as the answers come (RFC 8990 2.5.4).')
    .argument('<NAME>', 'name of the objective, e.g. EX3')
    .option('--timeout <MS>', 'how long to collect answers (default: 100 x loop count)', uint32)
    .option('--first', 'end at the first answer')
    .addOption(loopCountOption())
    .addHelpText('after', EXIT_HELP)
    .action(async (name: string, options: DiscoverOptions & SharedOptions) => {
      setExit(await discover(contextOf(options), name, options));
    });

  inspectable(networked(program.command('offer')))
    .description(
      'Answer negotiation requests until interrupted (RFC 8990 2.5.5). ' +
        'Of a VALUE ["unit",number] at most VALUE is given: a smaller request is accepted at once, to a larger one ' +
        'half is offered, then more in equal steps up to VALUE. Of any other VALUE an equal one is accepted, else ' +
        'VALUE is offered instead.',
    )
    .argument('<NAME>', 'name of the objective, e.g. EX3')
    .argument('<VALUE>', 'what is offered, e.g. \'["NZD",400]\'')
    .option('--once', 'end after one session; exit 0 only if it ended in agreement')
    .option('--dry-run', 'serve dry-run requests too (F_NEG_DRY); without it they are declined')
    .option('--cbor', 'VALUE is CBOR in hex')
    .addOption(stepTimeoutOption())
    .addHelpText('after', VALUE_HELP + EXIT_HELP)
    .action(
      async (name: string, text: string, options: OfferOptions & SharedOptions & { cbor?: boolean }) => {
        setExit(await offer(contextOf(options), name, parseValue(text, options), options));
      },
    );

  networked(program.command('negotiate'))
    .description(
      'Ask one peer for VALUE (RFC 8990 2.5.5). For a VALUE ["unit",number] come down in equal steps to --min; an ' +
        'offer is accepted when it reaches what would be asked for next. Any other VALUE is accepted only as it is.',
    )
    .argument('<NAME>', 'name of the objective, e.g. EX3')
    .argument('<VALUE>', 'what is asked for, e.g. \'["NZD",300]\'')
    .option('--min <N>', 'the least to accept of an amount (default: VALUE itself)', quantity)
    .option('--accept-any', 'accept whatever is offered')
    .option('--dry-run', 'negotiate without consequences (F_NEG_DRY)')
    .addOption(peerOption('ask this peer instead of the first one discovered'))
    .option('--cbor', 'VALUE is CBOR in hex')
    .addOption(loopCountOption())
    .addOption(stepTimeoutOption())
    .addHelpText('after', VALUE_HELP + EXIT_HELP)
    .action(
      async (name: string, text: string, options: NegotiateOptions & SharedOptions & { cbor?: boolean }) => {
        setExit(await negotiate(contextOf(options), name, parseValue(text, options), options));
      },
    );

  networked(program.command('synchronize'))
    .description(
      'Print the value of an objective (RFC 8990 2.5.6): what is flooded, else what the first one discovered has.',
    )
    .argument('<NAME>', 'name of the objective, e.g. EX1')
    .addOption(peerOption('ask this peer, whatever is flooded'))
    .addOption(loopCountOption())
    .addOption(stepTimeoutOption())
    .addHelpText('after', EXIT_HELP)
    .action(async (name: string, options: SynchronizeOptions & SharedOptions) => {
      setExit(await synchronize(contextOf(options), name, options));
    });

  inspectable(networked(program.command('publish')))
    .description('Answer synchronization requests with VALUE until interrupted (RFC 8990 2.5.6).')
    .argument('<NAME>', 'name of the objective, e.g. EX1')
    .argument('<VALUE>', 'what others get')
    .option('--rapid', 'answers to discoveries hold VALUE too')
    .option('--cbor', 'VALUE is CBOR in hex')
    .addHelpText('after', VALUE_HELP + EXIT_HELP)
    .action(
      async (name: string, text: string, options: PublishOptions & SharedOptions & { cbor?: boolean }) => {
        setExit(await publish(contextOf(options), name, parseValue(text, options), options));
      },
    );

  inspectable(networked(program.command('flood')))
    .description('Send VALUE to every node of the network (RFC 8990 2.5.6.2); ends when it has left.')
    .argument('<NAME>', 'name of the objective, e.g. EX1')
    .argument('<VALUE>', 'what is flooded')
    .option(
      '--ttl <MS>',
      'how long receivers keep it, 0: for ever (default: 60000, with --every at least 3.5 times that)',
      uint32,
    )
    .option('--every <S>', 'repeat it after so many seconds, until interrupted', seconds)
    .option(
      '--locator <L>',
      'tag it: ADDR:PORT, NAME:PORT (TCP, or with /udp) or a URI; [::]:PORT: the address of each link',
    )
    .option('--cbor', 'VALUE is CBOR in hex')
    .addOption(loopCountOption())
    .addHelpText('after', VALUE_HELP + EXIT_HELP)
    .action(
      async (name: string, text: string, options: FloodOptions & SharedOptions & { cbor?: boolean }) => {
        setExit(await flood(contextOf(options), name, parseValue(text, options), options));
      },
    );

  inspectable(networked(program.command('get-flood')))
    .description('Print what is flooded for an objective, newest first (RFC 8990 2.5.6.2).')
    .argument('<NAME>', 'name of the objective, e.g. EX1')
    .option('--watch', 'print each flood as it comes, until interrupted')
    .option('--timeout <MS>', 'how long to wait for a first one (default: 0)', uint32)
    .addHelpText('after', EXIT_HELP)
    .action(async (name: string, options: GetFloodOptions & SharedOptions) => {
      setExit(await getFlood(contextOf(options), name, options));
    });

  inspectable(networked(program.command('daemon')))
    .description(
      'Run an engine without an ASA until interrupted: it relays between its interfaces, and caches.',
    )
    .option(
      '--metrics <PORT>',
      'serve metrics for Prometheus on this port of 127.0.0.1 (0: any free one)',
      (text) => integer(text, 0, MAX_PORT),
    )
    .addHelpText('after', EXIT_HELP)
    .action(async (options: DaemonOptions & SharedOptions) => {
      setExit(await daemon(contextOf(options), options));
    });

  shared(program.command('decode'))
    .description(
      'Say what bytes mean, as CBOR and as GRASP messages; in a capture (pcap or pcapng) or with --live each GRASP ' +
        'message with its time and direction. Exit 0 if each item is a valid message and the capture is whole, else 1.',
    )
    .argument(
      '[HEX|FILE...]',
      'hex digits of one or more CBOR items, or one capture file; - reads a capture from ' +
        'standard input; absent: hex from there',
    )
    .option('--live', 'capture on the interfaces given with -i until interrupted (needs tcpdump or dumpcap)')
    .option('-i, --interface <IF>', 'interface to capture on; repeatable', repeatable)
    .option('--port <N>', 'a port of GRASP besides 7017, UDP and TCP; repeatable', ports)
    .addHelpText(
      'after',
      '\nIn hex blanks, colons, line ends and a leading 0x do not matter. A file whose name is hex goes as ./NAME.',
    )
    .action(async (parts: string[], options: CaptureOptions & SharedOptions) => {
      const context = contextOf(options);
      const capture = captureOrigin(parts, options);
      if (capture !== undefined) {
        setExit(await decodeCapture(context, world.openCapture, capture, options));
        return;
      }
      const text = parts.length > 0 ? parts.join('') : await world.stdin();
      setExit(decode(context.output, text));
    });

  networked(program.command('inspect'))
    .description(
      'Watch an engine in a browser: its machines, conversations, network and threads, on a page of this host. ' +
        'Of another process that was started with --inspect, or, with -i or --insecure, of an engine of its own.',
    )
    .argument(
      '[WHERE]',
      `port (or URL) of another process's inspector; default: ${DEFAULT_INSPECTOR_PORT}, if one is there`,
    )
    .addOption(
      new Option(
        '--port <N>',
        `where the page of an own engine is served (default: ${DEFAULT_INSPECTOR_PORT}, or any free one; 0: any)`,
      ).argParser((text) => integer(text, 0, MAX_PORT)),
    )
    .option('--stately', 'the machines in the Stately Inspector, which comes from the internet')
    .option('--open', 'open it in the browser')
    .addHelpText('after', EXIT_HELP)
    .action(async (where: string | undefined, options: InspectOptions & SharedOptions) => {
      setExit(await inspect(contextOf(options), where, options));
    });

  inspectable(shared(program.command('demo')))
    .description(
      'Briggs the banker and Gray the client negotiate EX3 over a simulated link: two engines with their worker ' +
        'threads, nothing outside this process. The same seed tells the same story. With --inspect they negotiate ' +
        'again and again, slowly enough to follow, and an office floods its rates, until interrupted.',
    )
    .option('--seed <N>', 'which story to tell', uint32)
    .option('--grays <N>', 'how many Grays ask Briggs at once (1 to 100)', grayCount)
    .action(async (options: DemoOptions & SharedOptions) => {
      setExit(await demo(contextOf(options), options));
    });

  networked(program.command('selftest'))
    .description(
      'Use every function of the engine on one host with two interfaces, which hears its own multicasts and relays ' +
        'between the two. Simulated, unless -i is given twice. Exit 0 if all holds, else 1.',
    )
    .option('--seed <N>', 'which conversation the two negotiating parties have', uint32)
    .action(async (options: SelftestOptions & SharedOptions) => {
      setExit(await selftest(contextOf(options), options));
    });

  return program;
}

/** Which captures `decode` is to read; undefined: it is given hex. Throws a usage error. */
function captureOrigin(parts: readonly string[], options: CaptureOptions): CaptureOrigin[] | undefined {
  const { live = false, interface: names = [], port } = options;
  if (live) {
    if (parts.length > 0) throw usageError('--live captures by itself: it goes without HEX or FILE');
    if (names.length === 0) throw usageError('--live needs an interface', 'name it with -i, e.g. -i eth0');
    return names.map((name) => ({ kind: 'live', interface: name }));
  }
  if (names.length > 0) throw usageError('-i goes only with --live');
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) {
    if (only === '-') return [{ kind: 'stdin' }];
    if (parseHex(only) === undefined) return [{ kind: 'file', path: only }];
  }
  if (port !== undefined) throw usageError('--port goes only with a capture');
  return undefined;
}

/** Options of every command. */
function shared(command: Command): Command {
  return command
    .option('--json', 'print one JSON object per line instead of text')
    .option('--verbose', 'log to standard error what happens');
}

/** Options of commands that last. */
function inspectable(command: Command): Command {
  return command.addOption(
    new Option(
      '--inspect [PORT]',
      `show what happens on a page of this host (default: port ${DEFAULT_INSPECTOR_PORT}, or any free one; 0: any)`,
    ).argParser((text) => integer(text, 0, MAX_PORT)),
  );
}

/** Options of commands that use the network. */
function networked(command: Command): Command {
  return shared(command)
    .option(
      '-i, --interface <IF>',
      'interface to use; repeatable (default: every one that is up, multicast-capable and not loopback)',
      repeatable,
    )
    .addOption(
      new Option(
        '--family <FAMILY>',
        'hear and send multicasts by ipv6 or ipv4; repeatable: a copy by each (default: both are heard, one is sent)',
      ).argParser(families),
    )
    .addOption(
      new Option('--limit <NAME=N>', 'a limit of the engine, e.g. floodCache=50000; repeatable').argParser(
        limits,
      ),
    )
    .option('--insecure', 'run though nothing secures the interfaces (tests only)');
}

function families(text: string, before: readonly Family[] | undefined): readonly Family[] {
  if (text !== 'ipv6' && text !== 'ipv4') throw new InvalidArgumentError('It must be ipv6 or ipv4.');
  return before?.includes(text) ? before : [...(before ?? []), text];
}

function limits(text: string, before: Partial<Limits> | undefined): Partial<Limits> {
  const [name = '', value = '', ...others] = text.split('=');
  if (others.length > 0 || !Object.hasOwn(DEFAULT_LIMITS, name)) {
    throw new InvalidArgumentError(
      `It must be NAME=N, with one of ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
    );
  }
  return { ...before, [name]: uint32(value) };
}

function repeatable(name: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), name];
}

function ports(text: string, before: readonly number[] | undefined): readonly number[] {
  return [...(before ?? []), integer(text, 1, MAX_PORT)];
}

function loopCountOption(): Option {
  return new Option('--loop-count <N>', `loop count, 1 to 255 (default: ${GRASP_DEF_LOOPCT})`).argParser(
    (text) => integer(text, 1, 255),
  );
}

function peerOption(help: string): Option {
  return new Option('--peer <ADDR[%IF]:PORT>', help);
}

function stepTimeoutOption(): Option {
  return new Option(
    '--timeout <MS>',
    `how long to wait for each answer (default: ${GRASP_DEF_TIMEOUT})`,
  ).argParser((text) => integer(text, 1, MAX_UINT32));
}

function integer(text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < least || value > most) {
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  }
  return value;
}

function uint32(text: string): number {
  return integer(text, 0, MAX_UINT32);
}

/** A period. */
function seconds(text: string): number {
  const value = Number(text);
  const most = MAX_UINT32 / 1000;
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || value < 0.001 || value > most) {
    throw new InvalidArgumentError(`It must be a number of seconds from 0.001 to ${Math.floor(most)}.`);
  }
  return value;
}

function grayCount(text: string): number {
  return integer(text, 1, 100);
}

function quantity(text: string): Quantity {
  const value = parseNumber(text);
  if (value === undefined) throw new InvalidArgumentError('It must be a number.');
  return value;
}
