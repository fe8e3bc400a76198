// A real Prometheus that scrapes what it is told, and the dashboard's queries put to it as Grafana would.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startChild } from '../../test/support/children.ts'
import { freePort } from '../../test/support/free-port.ts'

const SCRAPE_SECONDS = 1
/** Grafana's $__rate_interval is four scrapes at least. */
const RATE_INTERVAL = '15s'
const STEPS = 240

export interface Prometheus {
  /** The query's series between two instants in seconds. */
  range(query: string, from: number, until: number): Promise<readonly Series[]>
  stop(): Promise<void>
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>
  /** Instants in seconds with their values. */
  readonly points: ReadonlyArray<readonly [number, number]>
}

export interface Target {
  /** host:port. */
  readonly address: string
  readonly instance: string
}

/** Starts it with its data in `dir`. */
export async function startPrometheus(
  dir: string,
  targets: readonly Target[],
): Promise<Prometheus> {
  const port = await freePort()
  const file = join(dir, 'prometheus.yml')
  await writeFile(
    file,
    JSON.stringify({
      global: {
        scrape_interval: `${SCRAPE_SECONDS}s`,
        scrape_timeout: `${SCRAPE_SECONDS}s`,
      },
      scrape_configs: [
        {
          job_name: 'latchkey',
          static_configs: targets.map(({ address, instance }) => ({
            targets: [address],
            labels: { namespace: 'id', instance },
          })),
        },
      ],
    }),
  )
  const child = startChild(
    'prometheus',
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  await once(child, 'spawn').catch(cause => {
    throw new Error('prometheus is not on the PATH: apt-get install prometheus', {
      cause,
    })
  })
  const url = `http://127.0.0.1:${port}`
  for (
    let attempts = 200;
    await fetch(`${url}/-/ready`).then(
      ({ ok }) => !ok,
      () => true,
    );
    attempts--
  ) {
    if (attempts === 0 || child.exitCode !== null) {
      throw new Error('prometheus is not ready')
    }
    await wait(100)
  }
  return {
    async range(query, from, until) {
      const form = new URLSearchParams({
        query: withVariables(query),
        start: String(from),
        end: String(until),
        step: String((until - from) / STEPS),
      })
      const answer: any = await (
        await fetch(`${url}/api/v1/query_range`, { method: 'POST', body: form })
      ).json()
      if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`)
      return answer.data.result.map(({ metric, values }: any) => ({
        labels: metric,
        points: values.map(([at, value]: [number, string]) => [at, Number(value)]),
      }))
    },
    async stop() {
      child.kill('SIGTERM')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

/** The dashboard's variables at "All". */
function withVariables(query: string): string {
  return query
    .replaceAll('$__rate_interval', RATE_INTERVAL)
    .replaceAll(/\$(namespace|job)\b/g, '.*')
}
