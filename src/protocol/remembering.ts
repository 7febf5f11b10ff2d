/** Characters. An address has at most 45, and its zone 16. */
const LONGEST_KEY = 64;

/**
 * `compute` with a memory of what it gave lately, for what is asked again and again of few keys and costs much: reading an
 * address takes ten times as long as finding it. All is forgotten at once when there are `most` keys, and long ones are not
 * kept, so that keys of peers cannot fill the memory. Results are shared: they must not be changed.
 */
export function remembering<V>(most: number, compute: (key: string) => V): (key: string) => V {
  const recent = new Map<string, V>();
  return (key) => {
    let value = recent.get(key);
    if (value === undefined && !recent.has(key)) {
      value = compute(key);
      if (key.length > LONGEST_KEY) return value;
      if (recent.size >= most) recent.clear();
      recent.set(key, value);
    }
    return value as V;
  };
}
