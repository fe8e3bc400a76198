// Draws the dashboard of the chart from a real run: `node scripts/dashboard/picture.ts [FILE] [SECONDS]`. Two
// servers on a Redis, traffic of all kinds, a Prometheus that scrapes them, and Chromium, which draws each
// panel by the queries that the dashboard has for it.
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { startBrowser } from '../../test/support/browser.ts'
import { freePort } from '../../test/support/free-port.ts'
import { startRedis } from '../../test/support/redis.ts'
import {
  type LatchkeyProcess,
  runNode,
  startLatchkey,
} from '../../test/support/server.ts'
import { type Prometheus, type Series, startPrometheus } from './prometheus.ts'
import { type Happening, runTraffic } from './traffic.ts'

const PROJECT = new URL('../..', import.meta.url).pathname
const SECONDS = 240
/** Of the whole time; and long enough, in seconds, that requests fail of it. */
const OUTAGE = 0.03
const LEAST_OUTAGE = 4
const LAST_SCRAPES_MS = 3_000
const COLUMNS = 24
const WIDTH = COLUMNS * 62 + 6
const heightOf = (rows: number) => rows * 38 + 6
/** Signs what goes to the app and to the directory. */
const SIGNING = `whsec_${'A'.repeat(43)}=`

/** What the page draws. */
export interface DrawnPanel {
  readonly title: string
  readonly type: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly unit: string
  readonly stack: boolean
  /** Opacity, 0 to 1. */
  readonly fill: number
  /** Of a single number; null: as many as it takes. */
  readonly decimals: number | null
  readonly thresholds: ReadonlyArray<{
    readonly color: string
    readonly value: number | null
  }>
  readonly states: Readonly<
    Record<string, { readonly text: string; readonly color: string }>
  >
  /** Of a single number that means neither good nor bad; else by its thresholds. */
  readonly color: string | null
  /** What a single number shows: its value, or its series' name. */
  readonly textMode: string
  readonly noValue: string
  /** Whether thresholds are lines. */
  readonly isLined: boolean
  readonly series: ReadonlyArray<{
    readonly name: string
    readonly color: string | null
    readonly points: Series['points']
  }>
  readonly from: number
  readonly until: number
}

/** Runs everything for that long and writes the picture. Gives what was drawn. */
export async function takePicture({
  file,
  seconds = SECONDS,
}: {
  readonly file: string
  readonly seconds?: number
}): Promise<readonly DrawnPanel[]> {
  await using parts = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'latchkey-dashboard-'))
  parts.defer(() => rm(dir, { recursive: true, force: true }))
  const redis = await startRedis({
    args: ['--appendonly', 'yes', '--maxmemory-policy', 'noeviction'],
  })
  parts.defer(() => redis.stop())
  const outside = await startOutside(parts)
  const servers = await startServers(parts, redis.url, outside)
  const prometheus = await startPrometheus(
    dir,
    servers.map(({ managementUrl }, index) => ({
      address: new URL(managementUrl).host,
      instance: `latchkey-${index}`,
    })),
  )
  parts.defer(() => prometheus.stop())
  const from = Math.floor(performance.timeOrigin + performance.now()) / 1000
  await runTraffic({
    urls: servers.map(({ url }) => url),
    seconds,
    happenings: happeningsOf(redis.pid, servers, seconds),
  })
  await wait(LAST_SCRAPES_MS)
  const until = Math.floor(performance.timeOrigin + performance.now()) / 1000
  const panels = await readPanels(prometheus, from, until)
  await shoot(panels, file)
  return panels
}

/** An app that takes events, and a directory that knows nobody; gives the URL of both. */
async function startOutside(parts: AsyncDisposableStack): Promise<string> {
  const app = createServer((request, answer) => {
    request.resume()
    const isEvent = request.url === '/events'
    answer.writeHead(isEvent ? 204 : 404, { 'content-type': 'application/json' })
    answer.end(isEvent ? undefined : '{}')
  })
  const port = await freePort()
  app.listen(port, '127.0.0.1')
  await once(app, 'listening')
  parts.defer(() => {
    app.closeAllConnections()
    app.close()
  })
  return `http://127.0.0.1:${port}`
}

async function startServers(
  parts: AsyncDisposableStack,
  storeUrl: string,
  outside: string,
): Promise<readonly LatchkeyProcess[]> {
  const servers: LatchkeyProcess[] = []
  for (const secret of ['d'.repeat(43), 'd'.repeat(43)]) {
    const ports = { http: await freePort(), management: await freePort() }
    const server = await startLatchkey({
      storeUrl,
      secret,
      ports,
      http: { trustedProxies: ['127.0.0.1'] },
      // A hash costs a tenth of what it does in production, so that two servers, their Redis and Prometheus
      // fit on a machine of two cores.
      config: {
        issuer: 'http://127.0.0.1',
        log: { level: 'warn' },
        throttle: { perAddress: { max: 1_000_000 } },
        passwords: { memoryKiB: 4096, passes: 1 },
        notify: {
          webhook: {
            url: `${outside}/events`,
            secrets: [SIGNING],
            allowPrivate: true,
            types: ['session.started', 'session.revoked'],
          },
        },
        directories: [
          {
            name: 'partners',
            type: 'http',
            url: `${outside}/login`,
            secrets: [SIGNING],
            mayBePrivate: true,
          },
        ],
      },
    })
    parts.defer(async () => {
      await server.stop()
    })
    servers.push(server)
  }
  return servers
}

function happeningsOf(
  redisPid: number,
  [server]: readonly LatchkeyProcess[],
  seconds: number,
): readonly Happening[] {
  return [
    {
      at: 0.64,
      async act() {
        process.kill(redisPid, 'SIGSTOP')
        await wait(Math.max(OUTAGE * seconds, LEAST_OUTAGE) * 1000)
        process.kill(redisPid, 'SIGCONT')
      },
    },
    {
      at: 0.76,
      act: () =>
        runNode([join(PROJECT, 'bin/latchkey.js'), 'keys', 'rotate', '--now', '--yes'], {
          LATCHKEY_CONFIG: server?.configFile ?? '',
        }).ended,
    },
  ]
}

async function readPanels(
  prometheus: Prometheus,
  from: number,
  until: number,
): Promise<readonly DrawnPanel[]> {
  const { panels } = JSON.parse(
    await readFile(join(PROJECT, 'helm/latchkey/files/dashboard.json'), 'utf8'),
  )
  return Promise.all(
    panels.map(async ({ targets = [], ...panel }: any) => {
      const { overrides = [] } = panel.fieldConfig ?? {}
      const series = await Promise.all(
        targets.map(async ({ expr, legendFormat }: any) =>
          (await prometheus.range(expr, from, until)).map(({ labels, points }) => {
            const name = nameOf(legendFormat, labels)
            return { name, color: colorOf(name, overrides), points }
          }),
        ),
      )
      return {
        ...lookOf(panel),
        series: series.flat(),
        from,
        until,
      }
    }),
  )
}

/** What a panel of the dashboard looks like, its lines apart. */
function lookOf({ title, type, gridPos, options = {}, fieldConfig }: any) {
  const { defaults = {} } = fieldConfig ?? {}
  return {
    title,
    type,
    gridPos,
    unit: defaults.unit,
    stack: defaults.custom?.stacking?.mode === 'normal',
    fill: (defaults.custom?.fillOpacity ?? 0) / 100,
    decimals: defaults.decimals ?? null,
    thresholds: defaults.thresholds?.steps ?? [],
    states: defaults.mappings?.[0]?.options ?? {},
    color: defaults.color?.fixedColor ?? null,
    textMode: options.textMode ?? 'value',
    noValue: defaults.noValue ?? 'No data',
    isLined: defaults.custom?.thresholdsStyle !== undefined,
  }
}

/** The colour that an override gives to a line of that name; the last one counts. */
function colorOf(name: string, overrides: readonly any[]): string | null {
  const found = overrides.findLast(({ matcher }) =>
    new RegExp(matcher.options).test(name),
  )
  return found?.properties[0].value.fixedColor ?? null
}

function nameOf(format: string, labels: Series['labels']): string {
  return format
    .replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '')
    .trim()
}

async function shoot(panels: readonly DrawnPanel[], file: string): Promise<void> {
  await using parts = new AsyncDisposableStack()
  const browser = await startBrowser()
  parts.defer(() => browser.close())
  const rows = Math.max(...panels.map(({ gridPos: { y, h } }) => y + h))
  const viewport = { width: WIDTH, height: heightOf(rows) }
  const page = await browser.newPage({ viewport })
  await page.setContent(
    '<!doctype html><body style="margin:0;background:#111217;font-family:sans-serif">',
  )
  const uplot = join(PROJECT, 'node_modules/uplot/dist')
  await page.addStyleTag({ path: join(uplot, 'uPlot.min.css') })
  await page.addScriptTag({ path: join(uplot, 'uPlot.iife.min.js') })
  await page.addScriptTag({ path: join(PROJECT, 'scripts/dashboard/draw.js') })
  await page.evaluate(`draw(${JSON.stringify(panels)})`)
  // uPlot draws with the next frame.
  await page.evaluate(
    'new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))',
  )
  await page.screenshot({ path: file })
}

if (import.meta.main) {
  const [file = join(PROJECT, 'docs/dashboard.png'), seconds = SECONDS] =
    process.argv.slice(2)
  const panels = await takePicture({ file, seconds: Number(seconds) })
  for (const { title, type, series } of panels) {
    if (type === 'row') continue
    process.stdout.write(
      `${title}: ${series.map(({ name }) => name || 'one line').join(', ') || 'no data'}\n`,
    )
  }
}
