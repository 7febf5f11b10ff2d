/**
 * A list in the order in which its links were pushed last, for caches that let the oldest go. A `Map` does not do for
 * that: finding its first entry steps over every one deleted before it.
 */
export class Link<T> {
  /** Towards the oldest, and the newest. */
  older: Link<T> | undefined;
  newer: Link<T> | undefined;

  constructor(readonly value: T) {}
}

/** Links belong to one list at a time. */
export class RecencyList<T> {
  oldest: Link<T> | undefined;
  newest: Link<T> | undefined;
  size = 0;

  /** Makes a link that is in no list the newest. */
  push(link: Link<T>): void {
    link.older = this.newest;
    link.newer = undefined;
    if (this.newest) this.newest.newer = link;
    else this.oldest = link;
    this.newest = link;
    this.size++;
  }

  /** Takes a link of this list out. */
  remove(link: Link<T>): void {
    if (link.older) link.older.newer = link.newer;
    else this.oldest = link.newer;
    if (link.newer) link.newer.older = link.older;
    else this.newest = link.older;
    link.older = link.newer = undefined;
    this.size--;
  }
}
