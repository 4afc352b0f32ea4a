/**
 * Runs inside a network namespace and does what it is told on stdin, a JSON
 * object a line; answers with an object a line. A mail client, good or bad.
 */
import { once } from "node:events";
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Attempt, EchoProbe, Outcome, Probe } from "./mail-client.ts";

const CONNECT_WITHIN_MS = 1_000;
const ECHO_WITHIN_MS = 300;

/** Opens a connection; undefined when it does not open within a second. */
async function open({ host, port, from }: Probe): Promise<Socket | undefined> {
  const socket = connect({ host, port, ...(from !== undefined && { localAddress: from }) });
  socket.setTimeout(CONNECT_WITHIN_MS, () => socket.destroy(new Error("timed out")));
  try {
    await once(socket, "connect");
  } catch {
    return undefined;
  }
  socket.on("error", () => {}); // what is waited for next fails, and is reported
  socket.setTimeout(0);
  return socket;
}

async function attempt(task: Attempt): Promise<Outcome> {
  const socket = await open(task);
  if (!socket) return { opened: false, accepted: false };
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]();
  const answer = async () => {
    const next = await lines.next();
    return next.done === true ? "" : next.value;
  };
  const say = async (line: string) => {
    socket.write(`${line}\r\n`);
    for (;;) {
      const text = await answer();
      if (text === "" || !text.startsWith("* ")) return text; // untagged IMAP data
    }
  };
  const quoted = (text: string) => `"${text.replace(/["\\]/g, "\\$&")}"`;
  await answer();
  let accepted = false;
  for (const [index, password] of task.passwords.entries()) {
    if (task.port === 143) {
      const reply = await say(`a${index} LOGIN ${quoted(task.user)} ${quoted(password)}`);
      accepted = reply.startsWith(`a${index} OK`);
    } else {
      await say(`USER ${task.user}`);
      accepted = (await say(`PASS ${password}`)).startsWith("+OK");
    }
  }
  await say(task.port === 143 ? "z LOGOUT" : "QUIT");
  socket.destroy();
  return { opened: true, accepted };
}

async function probe(task: Probe): Promise<Outcome> {
  const socket = await open(task);
  socket?.destroy();
  return { opened: socket !== undefined, accepted: false };
}

/** A datagram that is dropped shows itself by nothing but an answer that does not come. */
async function hearEcho({ echo: { host, port } }: EchoProbe): Promise<Outcome> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const heard = once(socket, "message", { signal: AbortSignal.timeout(ECHO_WITHIN_MS) });
  socket.send("x", port, host);
  const opened = await heard.then(
    () => true,
    () => false,
  );
  socket.close();
  return { opened, accepted: false };
}

function work(task: Attempt | Probe | EchoProbe): Promise<Outcome> {
  if ("echo" in task) return hearEcho(task);
  return "passwords" in task ? attempt(task) : probe(task);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...task } = JSON.parse(line) as { id: number } & (Attempt | Probe | EchoProbe);
  void work(task).then((outcome) =>
    process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`),
  );
}
