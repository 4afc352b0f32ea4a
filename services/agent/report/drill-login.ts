/** A login that must fail, at the IMAP or POP3 server of this machine. */
import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createInterface } from "node:readline";

/** No server of this machine takes a connection on any of the ports. */
export class NothingListens extends Error {
  override name = "NothingListens";
}

export interface DrillLogin {
  user: string;
  password: string;
  /** Of this machine. */
  addresses: readonly string[];
  /** Of the jail; none: all. */
  ports: readonly number[];
  onAttempt: (how: string) => void;
}

interface Protocol {
  port: number;
  name: "IMAP" | "POP3";
  isTls: boolean;
}

/** With TLS first: a server may refuse passwords without. */
const PROTOCOLS: readonly Protocol[] = [
  { port: 993, name: "IMAP", isTls: true },
  { port: 995, name: "POP3", isTls: true },
  { port: 143, name: "IMAP", isTls: false },
  { port: 110, name: "POP3", isTls: false },
];
const CONNECT_WITHIN_MS = 2_000;
/** Dovecot answers a wrong password after 2 seconds, and up to 15 later where many have failed. */
const ANSWER_WITHIN_MS = 25_000;

/** Throws NothingListens, or an Error where the server does not take the attempt. */
export async function failToLogIn(login: DrillLogin): Promise<void> {
  const { addresses, ports } = login;
  const wanted = PROTOCOLS.filter(({ port }) => ports.length === 0 || ports.includes(port));
  for (const protocol of wanted) {
    for (const address of addresses) {
      const socket = await connectTo(address, protocol);
      if (!socket) continue;
      try {
        login.onAttempt(`${protocol.name} login at ${address} port ${protocol.port}`);
        await talk(socket, protocol, login);
      } finally {
        socket.destroy();
      }
      return;
    }
  }
  const listed = wanted.map(({ port }) => port).join(", ");
  throw new NothingListens(
    listed === ""
      ? "the jail has no port of IMAP or POP3"
      : `no mail server of this host listens on port ${listed}`,
  );
}

/** undefined: nobody takes the connection. */
async function connectTo(host: string, { port, isTls }: Protocol): Promise<Socket | undefined> {
  // The certificate is for other names than this address, and nothing secret is sent.
  const socket = isTls
    ? connectTls({ host, port, rejectUnauthorized: false })
    : connectPlain({ host, port });
  const signal = AbortSignal.timeout(CONNECT_WITHIN_MS);
  try {
    await once(socket, isTls ? "secureConnect" : "connect", { signal });
  } catch {
    socket.destroy();
    return undefined;
  }
  socket.on("error", () => {}); // the lines end, which is noticed
  return socket;
}

async function talk(
  socket: Socket,
  { name }: Protocol,
  { user, password }: DrillLogin,
): Promise<void> {
  socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const isPop3 = name === "POP3";
  await answer(lines, () => true);
  if (isPop3) {
    socket.write(`USER ${user}\r\n`);
    await answer(lines, () => true);
  }
  socket.write(isPop3 ? `PASS ${password}\r\n` : `a1 LOGIN ${user} ${password}\r\n`);
  const refusal = await answer(lines, (line) => isPop3 || line.startsWith("a1 "));
  socket.write(isPop3 ? "QUIT\r\n" : "a2 LOGOUT\r\n");
  if (/^(?:\+OK|a1 OK)/i.test(refusal)) {
    throw new Error("the mail server has let in a user that nobody has, with a random password");
  }
  if (/PRIVACYREQUIRED|disallowed/i.test(refusal)) {
    throw new Error("the mail server takes no password without TLS, and has no port with TLS");
  }
  socket.end();
}

async function answer(
  lines: AsyncIterator<string>,
  isAnswer: (line: string) => boolean,
): Promise<string> {
  for (;;) {
    const next = await lines.next();
    if (next.done === true) {
      throw new Error("the mail server has closed the connection without an answer");
    }
    if (isAnswer(next.value)) return next.value;
  }
}
