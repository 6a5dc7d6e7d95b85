'use strict';
// Prints one line a check, `ok NAME` or `FAIL NAME why`, and ends the process with the verdict.

class Report {
  /** The whole script ends with status 1 when `limit` seconds have passed. */
  constructor(limit) {
    this.failed = 0;
    setTimeout(() => {
      console.log(`FAIL timeout not finished after ${limit} s`);
      process.exit(1);
    }, limit * 1000).unref();
  }

  check(name, passed, why = '') {
    if (!passed) this.failed += 1;
    console.log(passed ? `ok ${name}` : `FAIL ${name} ${why}`);
  }

  equal(name, found, expected) {
    const same = Buffer.isBuffer(expected) ? Buffer.isBuffer(found) && found.equals(expected)
      : found === expected;
    this.check(name, same, `found ${brief(found)}, expected ${brief(expected)}`);
  }

  /** Runs one async step; whatever it throws is a failed check. */
  async run(name, step, limit = 60) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished after ${limit} s`)), limit * 1000);
    });
    try {
      await Promise.race([step(), late]);
    } catch (error) {
      this.check(name, false, error.message);
    } finally {
      clearTimeout(timer);
    }
  }

  finish() {
    process.exit(this.failed ? 1 : 0);
  }
}

function brief(value) {
  if (Buffer.isBuffer(value)) return `${value.length} bytes ${value.subarray(0, 16).toString('hex')}`;
  const text = String(JSON.stringify(value));
  return text.length < 80 ? text : `${text.slice(0, 60)}… (${text.length} long)`;
}

module.exports = { Report };
