/** What a machine's chart is made of; units are those of its SVG. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Point = readonly [number, number];

/** A statechart with its places, as scripts/lib/charts.mjs makes it. */
export interface ChartLayout {
  readonly machine: string;
  readonly width: number;
  readonly height: number;
  /** Events that are taken in every state, and lead nowhere. */
  readonly anywhere: readonly string[];
  readonly starts: readonly (Box & { readonly points: readonly Point[] })[];
  readonly states: readonly (Box & {
    readonly id: string;
    readonly name: string;
    readonly final: boolean;
    /** Events that are taken here and lead nowhere else. */
    readonly internal: readonly string[];
  })[];
  readonly edges: readonly {
    readonly id: string;
    readonly from: string;
    readonly to: string;
    readonly events: readonly string[];
    readonly points: readonly Point[];
    readonly label: Box & { readonly lines: readonly string[] };
  }[];
}
