// Whether the tests of `npm run test:long` run, which take more repetitions, larger files and longer waits than CI has time for.
export const LONG = process.env['MUXI_TEST_LONG'] !== undefined
