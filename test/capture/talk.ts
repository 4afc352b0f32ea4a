/** One connection to a mail server, for a client that says anything. */
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface Talk {
  /** Sends a line and returns what the server answers to it; "" when the connection has ended. */
  say(line: string): Promise<string>;
  /** Sends without waiting. */
  send(text: string): void;
  /** Waits for the next answer. */
  answer(): Promise<string>;
  /** What the server said first. */
  readonly greeting: string;
  /** Ends the connection at once, by RST. */
  reset(): void;
  close(): Promise<void>;
}

/** An answer ends with a tagged line, one of POP3, of SMTP, of ManageSieve, or asks for more. */
const ANSWER =
  /^(?:[a-z]\d+ (?:OK|NO|BAD)|\+|-ERR|[2345]\d\d |OK\b|NO\b|BYE\b|\* (?:OK|BYE|PREAUTH))/;
const PATIENCE_MS = 30_000;

export interface Place {
  host: string;
  port: number;
  from: string;
  isTls: boolean;
}

export async function openTalk({ host, port, from, isTls }: Place): Promise<Talk> {
  const tcp = connectTcp({ host, port, localAddress: from });
  await once(tcp, "connect");
  let socket: Socket = tcp;
  if (isTls) {
    socket = connectTls({ socket: tcp, rejectUnauthorized: false });
    await once(socket, "secureConnect");
  }
  let text = "";
  let ended = false;
  let wake = () => {};
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    wake();
  });
  const end = () => {
    ended = true;
    wake();
  };
  socket.on("close", end).on("end", end).on("error", end);

  async function answer(): Promise<string> {
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      const newline = text.indexOf("\n");
      if (newline >= 0) {
        const line = text.slice(0, newline).trimEnd();
        text = text.slice(newline + 1);
        if (ANSWER.test(line)) return line;
        continue;
      }
      if (ended || Date.now() > until) return "";
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const send = (words: string) => {
    if (!ended) socket.write(Buffer.from(words, "utf8"));
  };
  const greeting = await answer();
  return {
    greeting,
    answer,
    send,
    async say(line) {
      send(`${line}\r\n`);
      return answer();
    },
    reset: () => tcp.resetAndDestroy(),
    async close() {
      socket.end();
      if (!ended)
        await Promise.race([once(tcp, "close"), new Promise((r) => setTimeout(r, 2_000))]);
      tcp.destroy();
    },
  };
}
