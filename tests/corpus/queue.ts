import { EventEmitter } from "node:events";

export type Job<T> = { id: string; payload: T };

/** Where jobs come from. */
export interface Source<T> { // [Source
  next(): Promise<Job<T> | undefined>;
  readonly name: string;
} // Source]

enum State { // [State
  Idle,
  Busy = "busy",
} // State]

namespace Clock {
  // Milliseconds since the start.
  export function now(): number { // [Clock.now
    return performance.now();
  } // Clock.now]
}

/**
 * Waits for jobs and runs them
 * one after the other.
 *
 * Never two at a time.
 */
@injectable()
export abstract class Queue<T> extends EventEmitter { // [Queue
  private state: State = State.Idle;

  constructor(private readonly source: Source<T>) { // [Queue.constructor
    super();
  } // Queue.constructor]

  protected abstract handle(job: Job<T>): Promise<void>;

  /** Runs until the source is empty. */
  @logged("run")
  async run(limit = 10): Promise<number> { // [Queue.run
    let done = 0;
    while (done < limit) {
      const job = await this.source.next();
      if (!job) {
        this.emit("empty", { after: done, source: this.source.name });
        break;
      }
      try {
        await this.handle(job);
        done += 1;
      } catch (error) {
        this.emit("failed", { job, error, note: "a failed job is not tried again here" });
      }
    }
    return done;
  } // Queue.run]

  get busy(): boolean { // [Queue.busy
    return this.state === State.Busy;
  } // Queue.busy]
} // Queue]

export const retry = async <T,>(work: () => Promise<T>, times = 3): Promise<T> => { // [retry
  for (let n = 1; n < times; n++) {
    try { return await work(); } catch { /* again */ }
  }
  return work();
}; // retry]
