/**
 * node test/start.js CONCURRENCY FILE...
 *
 * As `node --test`, but begins the files in the order in which they are given: the command sorts
 * them by name, and then waits at the end for the slowest of them alone.
 */
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [concurrency, ...files] = process.argv.slice(2);
run({ files, concurrency: Number(concurrency) })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
