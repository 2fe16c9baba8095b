// Waits for something, but not for ever.

import { setTimeout as sleep } from "node:timers/promises";

/** Makes a function that gives a promise's value, or fails by name after so many milliseconds. */
export const patience = (limit) => (promise, what) => {
  const timer = new AbortController();
  const tooLate = sleep(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what}: nothing within ${limit} ms`);
  });
  return Promise.race([promise, tooLate]).finally(() => {
    timer.abort();
    tooLate.catch(() => {});
  });
};
