// A day of a token server in a few minutes: people and apps, a lost answer now and then, somebody who
// guesses, a stolen token, a store that stops for a moment, a new key, a rush at the door.
import { Agent, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { API_SECRET, PASSWORD, USER } from '../../test/support/server.ts'

const TICK_MS = 50
const ADDRESSES = 150

interface Answer {
  readonly status: number
  readonly body: { readonly access_token?: string; readonly refresh_token?: string }
}
interface Session {
  refresh: string
  access: string
  busy: boolean
}
type Ask = (
  path: string,
  form: Record<string, string>,
  address?: string,
) => Promise<Answer>

/** What happens once, and when: 0 is the beginning, 1 the end. */
export interface Happening {
  readonly at: number
  act(): Promise<unknown>
}

export interface TrafficOptions {
  readonly urls: readonly string[]
  readonly seconds: number
  readonly happenings: readonly Happening[]
}

/** What is sent so many times a second, in which part of the time. */
interface Stream {
  readonly perSecond: number
  readonly from?: number
  readonly until?: number
  readonly send: () => Promise<unknown>
}

/** Runs it all; resolves when the time is over and every answer is there. */
export async function runTraffic({
  urls,
  seconds,
  happenings,
}: TrafficOptions): Promise<void> {
  const { ask, close } = createAsk(urls)
  const streams = streamsOf(ask)
  const sent = streams.map(() => 0)
  const due = happenings.toSorted((a, b) => a.at - b.at)
  const pending = new Set<Promise<unknown>>()
  const follow = (work: Promise<unknown>) => {
    pending.add(work)
    work.finally(() => pending.delete(work))
  }
  const startedAt = performance.now()
  for (let now = 0; now < 1; now = (performance.now() - startedAt) / 1000 / seconds) {
    streams.forEach(({ perSecond, from = 0, until = 1, send }, index) => {
      if (now < from || now > until) return
      for (
        ;
        Number(sent[index]) < (now - from) * seconds * perSecond;
        sent[index] = Number(sent[index]) + 1
      ) {
        follow(send())
      }
    })
    for (; due[0] !== undefined && due[0].at <= now; due.shift()) follow(due[0].act())
    await wait(TICK_MS)
  }
  await Promise.all(pending)
  close()
}

function streamsOf(ask: Ask): readonly Stream[] {
  const sessions: Session[] = []
  const idle = () => sessions[sessions.findIndex(({ busy }) => !busy)]
  const logIn = async () => {
    const { body } = await ask('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: USER,
      password: PASSWORD,
    })
    if (body.access_token !== undefined && body.refresh_token !== undefined) {
      sessions.push({
        refresh: body.refresh_token,
        access: body.access_token,
        busy: false,
      })
    }
  }
  const exchange = (refresh: string) =>
    ask('/token', {
      grant_type: 'refresh_token',
      client_id: 'mobile',
      refresh_token: refresh,
    })
  /** Each session in turn; `times` more than one: the app asks again, as when an answer is lost. */
  const refresh = async (times = 1) => {
    const session = idle()
    if (session === undefined) return
    session.busy = true
    sessions.push(...sessions.splice(sessions.indexOf(session), 1))
    for (let time = 0; time < times; time++) {
      const { body } = await exchange(session.refresh)
      if (time === times - 1) {
        Object.assign(session, {
          refresh: body.refresh_token ?? session.refresh,
          access: body.access_token ?? session.access,
        })
      }
    }
    session.busy = false
  }
  const steal = async () => {
    const session = sessions.splice(
      sessions.findIndex(({ busy }) => !busy),
      1,
    )[0]
    if (session === undefined) return
    const first = await exchange(session.refresh)
    await exchange(first.body.refresh_token ?? '')
    await exchange(session.refresh)
  }
  const guess = (username: string) =>
    ask(
      '/token',
      {
        grant_type: 'password',
        client_id: 'mobile',
        username,
        password: `guess ${Math.random()}`,
      },
      '198.51.100.7',
    )
  const mistype = () =>
    ask('/token', {
      grant_type: 'password',
      client_id: 'mobile',
      username: USER,
      password: `${PASSWORD}${Math.random()}`,
    })
  return [
    { perSecond: 4, until: 0.12, send: logIn },
    { perSecond: 1.5, from: 0.12, send: logIn },
    { perSecond: 30, from: 0.02, send: () => refresh() },
    {
      perSecond: 12,
      from: 0.3,
      until: 0.55,
      send: () => refresh(),
    },
    { perSecond: 0.7, from: 0.05, send: () => refresh(2) },
    {
      perSecond: 15,
      from: 0.02,
      send: () =>
        ask('/introspect', {
          token: idle()?.access ?? '',
          client_id: 'orders-api',
          client_secret: API_SECRET,
        }),
    },
    { perSecond: 0.15, send: mistype },
    {
      perSecond: 8,
      from: 0.33,
      until: 0.47,
      send: () => guess(`somebody-${Math.floor(Math.random() * 40)}`),
    },
    {
      perSecond: 0.2,
      from: 0.5,
      until: 0.57,
      send: steal,
    },
    {
      perSecond: 25,
      from: 0.86,
      until: 0.9,
      send: logIn,
    },
  ]
}

/** Asks each server in turn, from one of many addresses; status 0: no answer. */
function createAsk(urls: readonly string[]): { ask: Ask; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 })
  let asked = 0
  const ask: Ask = (path, form, address = `203.0.113.${asked % ADDRESSES}`) =>
    new Promise(resolve => {
      const url = urls[asked++ % urls.length]
      const sent = request(
        `${url}${path}`,
        {
          agent,
          method: 'POST',
          headers: {
            'content-type': 'application/x-www-form-urlencoded',
            'x-forwarded-for': address,
          },
        },
        answer => {
          let text = ''
          answer
            .setEncoding('utf8')
            .on('data', chunk => {
              text += chunk
            })
            .on('end', () =>
              resolve({
                status: Number(answer.statusCode),
                body: JSON.parse(text || '{}'),
              }),
            )
        },
      )
      sent
        .on('error', () => resolve({ status: 0, body: {} }))
        .end(new URLSearchParams(form).toString())
    })
  return { ask, close: () => agent.destroy() }
}
