/** Which options a schema knows at a place of the configuration, for who has misspelled one. */
import type * as z from "zod";

/** What of a schema's definition leads to the schemas below it. */
interface Definition {
  shape?: Readonly<Record<string, z.ZodType>>;
  /** Of a list. */
  element?: z.ZodType;
  /** Of a record. */
  valueType?: z.ZodType;
  /** Of a union. */
  options?: readonly z.ZodType[];
  /** Of an option with a default, for example. */
  innerType?: z.ZodType;
  /** Of a value that is transformed. */
  in?: z.ZodType;
}

/** Empty: the schema has no options there, or is of another kind than those that it knows. */
export function optionNames(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const { shape, element, valueType, options = [], innerType, in: from } = definitionOf(schema);
  const same = [...options, innerType, from].filter((each) => each !== undefined);
  const names = same.flatMap((each) => optionNames(each, path));
  const [first, ...rest] = path;
  if (first === undefined) return [...Object.keys(shape ?? {}), ...names];
  const below = shape?.[String(first)] ?? element ?? valueType;
  return below ? [...optionNames(below, rest), ...names] : names;
}

const definitionOf = (schema: z.ZodType): Definition => schema.def as unknown as Definition;
