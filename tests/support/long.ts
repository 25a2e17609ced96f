// Whether the tests of `npm run test:long` run, which take more repetitions, larger files and longer waits than CI has time for.
export const LONG = process.env['MUXI_TEST_LONG'] !== undefined

/** Whether a test that takes long is left out on Deno, where the code that it concerns is the same as on Node. */
export const isLeftOutOnDeno = !LONG && process.env['MUXI_TEST_RUNTIME'] === 'deno'
