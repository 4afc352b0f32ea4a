/** A whois server (RFC 3912) on loopback. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";

export interface TestWhois extends AsyncDisposable {
  /** "127.0.0.1:4343". */
  at: string;
  questions: string[];
}

/** Gives `answer` to every question and hangs up; undefined: never answers. */
export async function startTestWhois(
  answer: (question: string) => string | Buffer | undefined,
): Promise<TestWhois> {
  const questions: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (data) => {
      const question = data.toString().trim();
      questions.push(question);
      const text = answer(question);
      if (text !== undefined) socket.end(text);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    at: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    questions,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
