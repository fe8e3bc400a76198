// The chart and the files of values beside it, rendered once for all that looks at them.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { PROJECT, run, runWell } from './commands.ts'

export const CHART = join(PROJECT, 'helm/latchkey')

/** The files of values in ci/, in order. */
export const VALUES_FILES = (await readdir(join(CHART, 'ci'))).sort()

/** As many processes of helm as there are cores here and there. */
const AT_ONCE = 2

/** What a file of values makes. Its release is called after it, so that no two make the same object. */
export interface Rendering {
  readonly file: string
  /** What the file holds. */
  readonly values: string
  /** The manifests as helm prints them. */
  readonly text: string
  readonly objects: readonly any[]
}

/** The name of a file's release. */
export const releaseOf = (file: string) => file.replace(/-values\.yaml$/, '')

/** Renders every file of values. Nothing in the chart depends on Kubernetes' version. */
export function renderAll(): Promise<readonly Rendering[]> {
  return ofEach(VALUES_FILES, async file => {
    const path = join(CHART, 'ci', file)
    const text = await runWell('helm', [
      ...['template', releaseOf(file), CHART, '--namespace', 'id'],
      ...['--kube-version', '1.37.0', '--values', path],
    ])
    const objects = parseAllDocuments(text)
      .map((document): any => document.toJS())
      .filter(object => object !== null)
    return {
      file,
      values: await readFile(path, 'utf8'),
      text,
      objects,
    }
  })
}

/** What helm lint says of a file of values; empty when it finds nothing. */
export function lintAll(): Promise<readonly (readonly [file: string, fault: string])[]> {
  return ofEach(VALUES_FILES, async file => {
    const path = join(CHART, 'ci', file)
    const { code, stdout } = await run('helm', [
      'lint',
      '--strict',
      '--values',
      path,
      CHART,
    ])
    return [file, code === 0 ? '' : stdout] as const
  })
}

/** Does the same to each, a few at once; the results are in order. */
async function ofEach<T, R>(
  items: readonly T[],
  act: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  const rest = [...items.entries()]
  const work = async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
      const [index, item] = next
      results[index] = await act(item)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results
}
