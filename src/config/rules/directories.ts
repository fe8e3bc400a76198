// The rules of `directories` and `directory`.
import type { Fault } from '../faults.ts'
import type { Config } from '../schema.ts'
import { isInTheClear } from './plain-http.ts'
import { fault, repeated } from './shared.ts'

/** Checks `directories`. */
export function checkDirectories(config: Config): Fault[] {
  const { directories } = config
  return [
    ...repeated(directories.map(({ name }) => name)).map(index =>
      fault(['directories', index, 'name'], 'another name than those before it'),
    ),
    ...directories.flatMap((directory, index) =>
      (['url', 'lookupUrl'] as const).flatMap(key => {
        const expected = urlExpected(directory[key], config)
        return expected === undefined
          ? []
          : [fault(['directories', index, key], expected)]
      }),
    ),
  ]
}

function urlExpected(
  url: string | undefined,
  { allowHttp }: Pick<Config, 'allowHttp'>,
): string | undefined {
  if (url === undefined) return undefined
  const parsed = URL.parse(url)
  if (parsed === null || parsed.username !== '' || parsed.password !== '') {
    return 'a URL without user and password'
  }
  return allowHttp || !isInTheClear(url)
    ? undefined
    : 'an https URL: passwords are sent there (http on loopback only, or with allowHttp)'
}
