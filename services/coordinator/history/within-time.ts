/** Questions that may be about millions of rows, and that somebody waits for. */
import { Prisma, type PrismaClient } from "../../../prisma/client/client.ts";

export type Transaction = Prisma.TransactionClient;

/** PostgreSQL gives each statement up after this time. The CLI waits a little longer for an answer. */
const STATEMENT_MS = 8_000;
const ALL_MS = 3 * STATEMENT_MS;

/** The statements of `work` see one state of the record, and change nothing. */
export function askWithinTime<T>(
  prisma: PrismaClient,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return prisma.$transaction(
    async (transaction) => {
      await transaction.$executeRaw`SET TRANSACTION READ ONLY`;
      await transaction.$executeRaw`${Prisma.raw(`SET LOCAL statement_timeout = ${STATEMENT_MS}`)}`;
      return work(transaction);
    },
    { isolationLevel: "RepeatableRead", timeout: ALL_MS, maxWait: STATEMENT_MS },
  );
}
