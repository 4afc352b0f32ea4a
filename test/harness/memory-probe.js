/**
 * A program that is started with this module collects its garbage whenever it is asked at
 * FLEETBAN_TEST_MEMORY_PORT of loopback, and answers with the memory that it has then.
 */
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

const server = createServer((_, response) => {
  collect();
  // What the first collection has found to be over is given back by the second.
  setImmediate(() => {
    collect();
    response.end(JSON.stringify(process.memoryUsage()));
  });
});
server.listen(Number(process.env.FLEETBAN_TEST_MEMORY_PORT), "127.0.0.1");
server.unref();
