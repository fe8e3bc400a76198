// Speaks as pkcs11js does, with keys from a JSON file in the place of the library: what a token answers, and
// how it fails, without a token. pkcs11.tools.ts runs the same code against SoftHSM.
import {
  constants,
  createPrivateKey,
  createPublicKey,
  randomBytes,
  sign,
} from 'node:crypto'
import { readFileSync } from 'node:fs'

const NUMBERS = {
  0x1041: 'ES256',
  0x1057: 'EdDSA',
  0x40: 'RS256',
  0x43: 'PS256',
}
const TYPES = {
  rsa: 0,
  ec: 3,
  ed25519: 0x40,
  ed448: 0x40,
  x25519: 0x41,
}

const bytes = text => Buffer.from(text, 'base64url')

class PKCS11 {
  load(path) {
    this.path = path
    this.file = JSON.parse(readFileSync(path, 'utf8'))
  }
  /** What the key does now: the file may have changed since. */
  doesNow(label) {
    const { keys } = JSON.parse(readFileSync(this.path, 'utf8'))
    return keys.find(key => key.label === label)?.does
  }
  C_Initialize() {}
  C_GetSlotList() {
    return [Buffer.from([0]), Buffer.from([1])]
  }
  C_GetTokenInfo(slot) {
    return { label: slot[0] === 0 ? ''.padEnd(32) : this.file.token.padEnd(32) }
  }
  C_OpenSession() {
    return Buffer.from([7])
  }
  C_Login(_session, _type, pin) {
    if (pin !== this.file.pin) throw new Error('CKR_PIN_INCORRECT')
  }

  C_FindObjectsInit(_session, template) {
    const objects = this.file.keys.flatMap((key, index) => [
      { kind: 3, index },
      ...(key.private ? [] : [{ kind: 2, index }]),
    ])
    const [{ value: kind }, id] = template
    this.found = objects
      .filter(
        object =>
          object.kind === kind && (id === undefined || id.value[0] === object.index),
      )
      .map(({ kind, index }) => Buffer.from([kind, index]))
  }

  C_FindObjects() {
    return this.found
  }
  C_FindObjectsFinal() {}

  C_GetAttributeValue(_session, [, index], [{ type }]) {
    const { pem, label } = this.file.keys[index]
    const { n, e, x, y } = createPublicKey(pem).export({ format: 'jwk' })
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem)
    const attributes = {
      0x3: () => Buffer.from(label),
      0x100: () => Buffer.from([TYPES[asymmetricKeyType], 0, 0, 0, 0, 0, 0, 0]),
      0x102: () => Buffer.from([index]),
      0x120: () => bytes(n),
      0x122: () => bytes(e),
      0x180: () =>
        Buffer.from(
          asymmetricKeyDetails.namedCurve === 'prime256v1'
            ? '06082a8648ce3d030107'
            : '06052b81040022',
          'hex',
        ),
      0x181: () =>
        Buffer.concat([
          Buffer.from('044104', 'hex'),
          bytes(x),
          ...(y === undefined ? [] : [bytes(y)]),
        ]),
    }
    return [{ type, value: attributes[type]() }]
  }

  C_SignInit(_session, { mechanism, parameter }, [, index]) {
    this.signing = { alg: NUMBERS[mechanism], parameter, index }
  }

  C_Sign(_session, data) {
    const { alg, parameter, index } = this.signing
    const { pem, label, signsAs } = this.file.keys[index]
    const does = this.doesNow(label)
    if (does === 'refuse') throw new Error('CKR_FUNCTION_FAILED')
    if (does === 'crash') process.exit(3)
    if (does === 'hang') {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
    }
    const key = createPrivateKey(signsAs ?? pem)
    if (alg === 'EdDSA') return sign(null, data, key)
    if (alg === 'RS256') return sign('sha256', data, key)
    if (alg === 'PS256') {
      return sign('sha256', data, {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: parameter.saltLen,
      })
    }
    return signDigest(data, key)
  }
}

// ECDSA over P-256 (FIPS 186-5 §6.4.1) of a digest, which node:crypto doesn't sign: it takes the data.
const P = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const G = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
]

const mod = (a, m) => ((a % m) + m) % m
const inverse = (a, m) => {
  let [low, high, x, y] = [mod(a, m), m, 1n, 0n]
  while (low > 1n) {
    const q = high / low
    ;[low, high, x, y] = [high % low, low, y - q * x, x]
  }
  return mod(x, m)
}
const add = (a, b) => {
  if (a === null) return b
  const slope =
    a[0] === b[0]
      ? (3n * a[0] ** 2n - 3n) * inverse(2n * a[1], P)
      : (b[1] - a[1]) * inverse(b[0] - a[0], P)
  const x = mod(slope ** 2n - a[0] - b[0], P)
  return [x, mod(slope * (a[0] - x) - a[1], P)]
}
const times = (k, point) => {
  let sum = null
  for (let rest = k, power = point; rest > 0n; rest >>= 1n, power = add(power, power)) {
    if (rest & 1n) sum = add(sum, power)
  }
  return sum
}
const number = buffer => BigInt(`0x${buffer.toString('hex')}`)
const fixed = value => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

function signDigest(digest, key) {
  const d = number(bytes(key.export({ format: 'jwk' }).d))
  const k = mod(number(randomBytes(32)), N)
  const r = mod(times(k, G)[0], N)
  return Buffer.concat([
    fixed(r),
    fixed(mod(inverse(k, N) * (number(digest) + r * d), N)),
  ])
}

export default { PKCS11 }
