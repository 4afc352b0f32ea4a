import type { Command } from "commander";

/** A program whose command line is completed. */
export interface CompletedProgram {
  name: string;
  command: () => Command;
}
