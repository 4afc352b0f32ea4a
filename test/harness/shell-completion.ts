/** What a real shell offers behind a line when somebody presses Tab. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const WITHIN_MS = 60_000;

interface Asked {
  /** The completion, as the program prints it. */
  script: string;
  /** What stands in the command line, up to the cursor. */
  line: string;
  environment: Readonly<Record<string, string>>;
}

type Shell = (folder: string, asked: Asked) => Promise<string[]>;

const bash: Shell = async (folder, { script, line, environment }) => {
  const words = line.split(" ");
  await writeFile(join(folder, "completion"), script);
  const ask = `
    source "$1/completion"
    shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    spec=($(complete -p "$1"))
    "\${spec[-2]}"
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ["--norc", "-c", ask, "bash", folder, ...words];
  return linesOf((await run("bash", args, { env: environment, timeout: WITHIN_MS })).stdout);
};

const fish: Shell = async (folder, { script, line, environment }) => {
  await writeFile(join(folder, "completion"), script);
  const ask = 'source $argv[1]/completion; complete -C "$argv[2]"';
  const env = { ...environment, HOME: folder };
  const args = ["--no-config", "-c", ask, folder, line];
  const { stdout } = await run("fish", args, { env, timeout: WITHIN_MS });
  // Behind a tab stands what the word is.
  return linesOf(stdout).map((offered) => offered.split("\t")[0] ?? "");
};

/**
 * zsh completes in an interactive shell alone. Inside a terminal of the module zpty, `compadd` writes
 * what it is to offer into a file.
 */
const zsh: Shell = async (folder, { script, line, environment }) => {
  await writeFile(join(folder, "_fleetban"), script);
  await writeFile(
    join(folder, ".zshrc"),
    `
    PS1= PS2= RPS1=
    fpath=("$ZDOTDIR" $fpath)
    autoload -Uz compinit
    compinit -u -D
    compadd() {
      if [[ "$*" != *-[OAD]\\ * ]]; then
        local -a offered
        builtin compadd -O offered "$@"
        print -rl -- $offered >>"$ZDOTDIR/offered"
      fi
      builtin compadd "$@"
    }
    press_tab() {
      zle list-choices
      print -r -- end >>"$ZDOTDIR/offered"
    }
    zle -N press_tab
    bindkey '^I' press_tab
    print -r -- ready >>"$ZDOTDIR/offered"`,
  );
  const ask = `
    zmodload zsh/zpty zsh/zselect
    until_written() { until grep -qx "$1" "$ZDOTDIR/offered" 2>/dev/null; do zselect -t 2; done }
    zpty -b shell zsh -i
    until_written ready
    zpty -w -n shell "$1"$'\\t'
    until_written end
    zpty -d shell
    grep -vxE 'ready|end' "$ZDOTDIR/offered" || true`;
  const env = { ...environment, HOME: folder, ZDOTDIR: folder, TERM: "xterm" };
  const args = ["-f", "-c", ask, "zsh", line];
  return linesOf((await run("zsh", args, { env, timeout: WITHIN_MS })).stdout);
};

export const SHELLS = { bash, zsh, fish } as const;

/** The words that the shell offers, in the order of the alphabet. */
export async function offeredBy(shell: keyof typeof SHELLS, asked: Asked): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "fleetban-completion-"));
  try {
    return (await SHELLS[shell](folder, asked)).sort();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const linesOf = (text: string): string[] => text.split("\n").filter((line) => line !== "");
