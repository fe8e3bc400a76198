// Requests as every load sends them.
import type { Dispatcher } from 'undici'
import { API_CLIENT, API_SECRET } from './parties.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** Headers of a form that the API's client sends. */
export const BASIC = {
  ...FORM,
  authorization: `Basic ${Buffer.from(`${API_CLIENT}:${API_SECRET}`).toString('base64')}`,
}

/** A form. */
export function form(
  path: string,
  params: Record<string, string>,
): Dispatcher.RequestOptions {
  return {
    method: 'POST',
    path,
    headers: FORM,
    body: new URLSearchParams(params).toString(),
  }
}
