/** Looks on while methods of an object run, without the object knowing. */

/** The same object; each call of these methods is made through `around`. */
export function aroundMethods<T extends object>(
  target: T,
  methods: readonly (keyof T & string)[],
  around: (method: string, call: () => Promise<unknown>) => Promise<unknown>,
): T {
  const wrapped = new Map<string | symbol, unknown>();
  for (const method of methods) {
    const run = target[method] as (...args: unknown[]) => Promise<unknown>;
    wrapped.set(method, (...args: unknown[]) => around(method, () => run.apply(target, args)));
  }
  return new Proxy(target, {
    get: (_, key) => {
      const method = wrapped.get(key);
      if (method !== undefined) return method;
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      // Private fields are those of the target, not of the proxy.
      const bound: unknown = value.bind(target);
      wrapped.set(key, bound);
      return bound;
    },
  });
}
