/** How the facade's engine is started: `configure`, `skip_dialogue`, environment variables. */
import { ErrorCode, GraspError } from '../../protocol/index.js';
import { checkedUint32 } from '../checks.js';
import type { GraspOptions } from '../grasp.js';

/** What `configure` takes: the options of `Grasp.start`, and the usual ones of a real link directly. */
export interface configuration extends Partial<GraspOptions> {
  /** Names of the interfaces to use; default all. Short for `substrate: { kind: 'plain', interfaces }`. */
  readonly interfaces?: readonly string[] | undefined;
  /** The explicit word for running without security; without it most calls give 16. Default false. */
  readonly insecure?: boolean | undefined;
  /** ms for which requests are kept after listen_negotiate has returned, for its next call; default 250. */
  readonly listenGapMs?: number | undefined;
  /** Where `tprint` and `dump_all` write; default standard output. */
  readonly output?: ((text: string) => void) | undefined;
}

/** What a process says about its engine when the program does not: `GRASP_INTERFACES=eth0,eth1 GRASP_INSECURE=1`. */
export function environmentOptions(env: Readonly<Record<string, string | undefined>>): configuration {
  const interfaces = env['GRASP_INTERFACES']
    ?.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const insecure = env['GRASP_INSECURE'];
  if (insecure !== undefined && !/^[01]?$/.test(insecure)) {
    throw new GraspError(ErrorCode.unspec, `GRASP_INSECURE is 0 or 1, not ${JSON.stringify(insecure)}`);
  }
  return {
    ...(interfaces?.length ? { interfaces } : {}),
    ...(insecure === '1' ? { insecure: true } : {}),
  };
}

/** The options of `Grasp.start` that a configuration amounts to. */
export function startOptions(wanted: configuration): GraspOptions {
  const { interfaces, insecure, output: _output, listenGapMs, substrate, ...rest } = wanted;
  if (listenGapMs !== undefined) checkedUint32(listenGapMs, 'listenGapMs');
  if (substrate && (interfaces !== undefined || insecure !== undefined)) {
    throw new GraspError(
      ErrorCode.unspec,
      '`interfaces` and `insecure` stand in `substrate`, or there is none',
    );
  }
  return {
    ...rest,
    substrate: substrate ?? {
      kind: 'plain',
      insecure: insecure ?? false,
      ...(interfaces ? { interfaces: [...interfaces] } : {}),
    },
  };
}
