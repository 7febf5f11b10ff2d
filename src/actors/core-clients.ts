/** The clients of a core: their data ports, and what each of them asks for. */
import { DataPort, type Clock, type Endpoint } from '../runtime/index.js';
import { weightOf, type FromCore, type ToCore } from './core-protocol.js';

export interface CoreClientsOptions {
  readonly clock: Clock;
  readonly onEvent: (client: string, event: ToCore) => void;
  /** It takes events again, after {@link CoreClients.isCongested}. */
  readonly onCredit: (client: string) => void;
  readonly onGone: (client: string) => void;
}

export class CoreClients {
  readonly #options: CoreClientsOptions;
  readonly #ports = new Map<string, DataPort<FromCore, ToCore>>();

  constructor(options: CoreClientsOptions) {
    this.#options = options;
  }

  attach(client: string, endpoint: Endpoint): void {
    this.detach(client);
    const { clock, onEvent, onCredit } = this.#options;
    const port = new DataPort<FromCore, ToCore>(endpoint, clock, {
      onEvents: (events) => {
        for (const event of events) onEvent(client, event);
      },
      onCredit: () => onCredit(client),
      onClose: () => this.detach(client),
    });
    this.#ports.set(client, port);
  }

  detach(client: string): void {
    const port = this.#ports.get(client);
    if (!port) return;
    this.#ports.delete(client);
    port.close();
    this.#options.onGone(client);
  }

  /** To a client that is gone: ignored. */
  send(client: string, event: FromCore): void {
    const port = this.#ports.get(client);
    if (event.t === 'found') port?.sendAtOnce(event, weightOf(event));
    else port?.send(event, weightOf(event));
  }

  /** The client is behind: what can wait should. */
  isCongested(client: string): boolean {
    return this.#ports.get(client)?.congested ?? false;
  }

  close(): void {
    for (const client of [...this.#ports.keys()]) this.detach(client);
  }
}
