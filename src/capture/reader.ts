/** A capture as it arrives, in chunks of any size, into packets. Which of the formats it is, its first bytes tell. */
import { PcapFormat, isPcap } from './pcap.js';
import { PcapngFormat, isPcapng } from './pcapng.js';
import type { BrokenReason } from './reasons.js';
import type { BrokenCapture, Format, RawPacket, Window } from './record.js';

export type ReadResult =
  | { readonly kind: 'packet'; readonly packet: RawPacket }
  /** Nothing complete is left of what was pushed. */
  | { readonly kind: 'more' }
  | { readonly kind: 'broken'; readonly broken: BrokenCapture };

const NO_MORE: ReadResult = { kind: 'more' };

/**
 * `push` each chunk, then call `next` until it says `more`; at the end of the file `end` says whether it was whole.
 * Never throws. Behind a broken place nothing is read: a file has no marks to find the next record by.
 */
export class CaptureReader {
  #format: Format | undefined;
  #buffer = new Uint8Array(65_536);
  /** What is not read yet, within the buffer. */
  #start = 0;
  #end = 0;
  /** Where `#start` is in the file. */
  #offset = 0;
  #packets = 0;
  #broken: BrokenCapture | undefined;

  push(chunk: Uint8Array): void {
    if (this.#broken) return;
    const left = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      const fits = left + chunk.length <= this.#buffer.length;
      const target = fits
        ? this.#buffer
        : new Uint8Array(Math.max(left + chunk.length, 2 * this.#buffer.length));
      target.set(this.#buffer.subarray(this.#start, this.#end), 0);
      this.#buffer = target;
      this.#start = 0;
      this.#end = left;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  next(): ReadResult {
    for (;;) {
      if (this.#broken) return { kind: 'broken', broken: this.#broken };
      const window = this.#window();
      this.#format ??= this.#recognise(window);
      if (!this.#format) {
        if (this.#broken) continue;
        return NO_MORE;
      }
      const step = this.#format.read(window);
      if (step.kind === 'more') return NO_MORE;
      if (step.kind === 'broken') {
        this.#refuse(step.reason);
        continue;
      }
      this.#start += step.length;
      this.#offset += step.length;
      if (step.kind === 'packet')
        return { kind: 'packet', packet: { number: ++this.#packets, ...step.packet } };
    }
  }

  /** No more bytes will come: what is broken, if anything is. */
  end(): BrokenCapture | undefined {
    if (!this.#broken && this.#offset === 0) this.#refuse(this.#end === 0 ? 'file.empty' : 'file.truncated');
    if (!this.#broken && this.#end > this.#start) this.#refuse('file.truncated');
    return this.#broken;
  }

  #window(): Window {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: this.#offset };
  }

  #recognise({ bytes, view }: Window): Format | undefined {
    if (bytes.length < 4) return undefined;
    if (isPcap(view)) return new PcapFormat();
    if (isPcapng(view)) return new PcapngFormat();
    const magic = view.getUint32(0);
    const isCompressed = magic >>> 16 === 0x1f8b || magic === 0x28b52ffd || magic === 0xfd377a58;
    this.#refuse(isCompressed ? 'file.compressed' : 'file.unknown-format');
    return undefined;
  }

  #refuse(reason: BrokenReason): void {
    this.#broken = { reason, offset: this.#offset };
  }
}
