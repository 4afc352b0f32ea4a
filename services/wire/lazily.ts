/**
 * Values that are made when they are asked for the first time. The CLI builds the schemas of the
 * one request that it makes, and not those of all requests, which would take longer than its answer.
 */
export function lazily<T extends Readonly<Record<string, () => unknown>>>(
  makers: T,
): { readonly [Name in keyof T]: ReturnType<T[Name]> } {
  const values: Record<string, unknown> = {};
  for (const [name, make] of Object.entries(makers)) {
    Object.defineProperty(values, name, {
      enumerable: true,
      configurable: true,
      get() {
        const value = make();
        Object.defineProperty(values, name, { enumerable: true, value });
        return value;
      },
    });
  }
  return values as { [Name in keyof T]: ReturnType<T[Name]> };
}
