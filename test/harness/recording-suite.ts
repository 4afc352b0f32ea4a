/** How the recorder reads a stream, run with a stream of a real nats-server and with the fake one. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { Place } from "../../services/coordinator/history/place.ts";
import { RecordingRun } from "../../services/coordinator/history/recording-run.ts";
import { eventually } from "./eventually.ts";
import type { RecordedStream } from "./fake-recorded-stream.ts";

/** What PostgreSQL would hold. */
export class Recording {
  readonly rows: string[] = [];
  place: Place | undefined;
  rolledBack = 0;
  /** false: this coordinator records no more. */
  isLeader = true;
  readonly #stream: RecordedStream;

  constructor(stream: RecordedStream) {
    this.#stream = stream;
  }

  /** Begins a run; `ended` resolves when it is over. */
  async begin(): Promise<{ run: RecordingRun<string>; ended: Promise<void> }> {
    const onRolledBack = async () => {
      this.rolledBack += 1;
      if (this.place) this.place = { ...this.place, sequence: 0, storedAt: null };
      return Promise.resolve();
    };
    const source = await this.#stream.open(this.place, onRolledBack);
    const run = new RecordingRun<string>(source, {
      decode: (message) => message.string(),
      commit: async (messages) => {
        if (this.isLeader) this.rows.push(...messages.flatMap(({ value }) => value() ?? []));
        return Promise.resolve(this.isLeader);
      },
      writePlace: async (place) => {
        this.place = place;
        return Promise.resolve();
      },
      onRolledBack,
      gather: () => pause(1),
    });
    return { run, ended: run.run() };
  }

  /** A run that ends by itself. */
  async runToEnd(): Promise<void> {
    const { ended } = await this.begin();
    await ended;
  }

  /** Runs until it is noticed that NATS has lost the end of the stream. */
  noticeRollBack(): Promise<void> {
    return this.#runUntil("the roll-back is noticed", () => this.rolledBack === 1);
  }

  /** Runs until the place has come to `sequence`. */
  recordTo(sequence: number): Promise<void> {
    return this.#runUntil(`recorded to ${sequence}`, () => this.place?.sequence === sequence);
  }

  async #runUntil(what: string, isReached: () => boolean): Promise<void> {
    const { run, ended } = await this.begin();
    try {
      await eventually(what, isReached);
    } finally {
      run.stop();
      await ended;
    }
  }
}

export const RECORDING_SUITE: readonly [string, (stream: RecordedStream) => Promise<void>][] = [
  [
    "messages are recorded once and in order, over two runs",
    async (stream) => {
      const recording = new Recording(stream);
      for (const text of ["a", "b"]) await stream.publish(text);
      await recording.recordTo(2);
      await stream.publish("c");
      await recording.recordTo(3);
      assert.deepEqual(recording.rows, ["a", "b", "c"]);
      assert.equal(recording.rolledBack, 0);
    },
  ],
  [
    "the place moves behind messages that are gone from the stream",
    async (stream) => {
      const recording = new Recording(stream);
      for (const text of ["a", "b", "c"]) await stream.publish(text);
      await stream.forget(3);
      await recording.recordTo(3);
      assert.deepEqual(recording.rows, []);
    },
  ],
  [
    "another message under the number of the place is noticed, and all is recorded again",
    async (stream) => {
      const recording = new Recording(stream);
      for (const text of ["a", "b"]) await stream.publish(text);
      await recording.recordTo(2);
      const { place } = recording;
      assert.ok(place?.storedAt);
      recording.place = { ...place, storedAt: place.storedAt - 60_000 };
      await recording.noticeRollBack();
      await recording.recordTo(2);
      assert.deepEqual(recording.rows, ["a", "b", "a", "b"]);
    },
  ],
  [
    "a place behind the end of the stream is noticed, and all is recorded again",
    async (stream) => {
      const recording = new Recording(stream);
      await stream.publish("a");
      await recording.recordTo(1);
      assert.ok(recording.place);
      recording.place = { ...recording.place, sequence: 7 };
      await recording.recordTo(1);
      assert.equal(recording.rolledBack, 1);
      assert.deepEqual(recording.rows, ["a", "a"]);
    },
  ],
  [
    "a coordinator that no longer decides leaves the place where it is",
    async (stream) => {
      const recording = new Recording(stream);
      await stream.publish("a");
      recording.isLeader = false;
      await recording.runToEnd();
      assert.equal(recording.place, undefined);
      recording.isLeader = true;
      await recording.recordTo(1);
      assert.deepEqual(recording.rows, ["a"]);
    },
  ],
];
