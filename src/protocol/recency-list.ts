/**
 * A list in the order in which its links were pushed last, for caches that let the oldest go and for what comes and goes at a
 * high rate. A `Map` or `Set` does for neither. Finding its first entry steps over every one deleted before it. And V8
 * replaces its table every few dozen changes: the table it leaves behind goes on pointing to the members of that
 * moment and to the next table, and where the first of them has grown old, none of them is freed, nor any member,
 * before the next collection of the whole heap.
 */
export class Link<T> {
  /** The list it is in. */
  list: RecencyList<T> | undefined;
  /** Towards the oldest, and the newest. */
  older: Link<T> | undefined;
  newer: Link<T> | undefined;

  constructor(readonly value: T) {}
}

/** Links belong to one list at a time. */
export class RecencyList<T> implements Iterable<T> {
  oldest: Link<T> | undefined;
  newest: Link<T> | undefined;
  size = 0;

  /** Makes a link that is in no list the newest. */
  push(link: Link<T>): void {
    link.list = this;
    link.older = this.newest;
    link.newer = undefined;
    if (this.newest) this.newest.newer = link;
    else this.oldest = link;
    this.newest = link;
    this.size++;
  }

  /** Takes a link out; false: it is not in this list. */
  remove(link: Link<T>): boolean {
    if (link.list !== this) return false;
    if (link.older) link.older.newer = link.newer;
    else this.oldest = link.newer;
    if (link.newer) link.newer.older = link.older;
    else this.newest = link.older;
    link.list = link.older = link.newer = undefined;
    this.size--;
    return true;
  }

  /** The oldest first. What is removed meanwhile is not seen; nor is anything else behind it if it was next. */
  *[Symbol.iterator](): Generator<T> {
    for (let link = this.oldest; link;) {
      const { newer } = link;
      yield link.value;
      link = newer;
    }
  }
}
