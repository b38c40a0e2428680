const NANO = 1_000_000_000n;
const DECIMAL = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 } as const;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const QUANTITY = /^([0-9]{0,18})(?:\.([0-9]{0,9}))?([numkMGTPE]|[KMGTPE]i|)$/;

/**
 * A resource quantity in the form in which the API server gives it back: no fraction, the largest unit that loses
 * nothing ("0.5" -> "500m", "1024Mi" -> "1Gi"). What this cannot read is left as it is; the API server judges it.
 */
export function canonicalQuantity(quantity: string | number): string {
  const text = String(quantity);
  const match = QUANTITY.exec(text);
  if (match === null) return text;
  const [, whole = '', fraction = '', unit = ''] = match;
  if (whole === '' && fraction === '') return text;
  const scaled = BigInt(whole + fraction);
  const nanos = ceilDivide(scaled * multiplier(unit), 10n ** BigInt(fraction.length));
  if (BINARY.indexOf(unit) > 0 && nanos >= 1024n * NANO) return binary(ceilDivide(nanos, NANO));
  return decimal(nanos);
}

/** Nanos in one unit. */
function multiplier(unit: string): bigint {
  const power = BINARY.indexOf(unit);
  if (power > 0) return NANO * 1024n ** BigInt(power);
  const found = Object.entries(DECIMAL).find(([suffix]) => suffix === unit);
  return 10n ** BigInt((found?.[1] ?? 0) + 9);
}

function binary(bytes: bigint): string {
  let power = 0;
  let left = bytes;
  while (left % 1024n === 0n && power < BINARY.length - 1) {
    left /= 1024n;
    power += 1;
  }
  return `${left}${BINARY[power] ?? ''}`;
}

function decimal(nanos: bigint): string {
  if (nanos === 0n) return '0';
  const units = Object.entries(DECIMAL).reverse();
  const fitting = units.find(([, exponent]) => nanos % 10n ** BigInt(exponent + 9) === 0n);
  const [suffix, exponent] = fitting ?? ['n', -9];
  return `${nanos / 10n ** BigInt(exponent + 9)}${suffix}`;
}

function ceilDivide(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}
