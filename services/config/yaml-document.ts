/**
 * The parser of YAML, to be imported only where a file is read. It stands in a module of its own:
 * where a program is bundled, the names of a CommonJS package are lost to `import()` itself.
 */
export { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
