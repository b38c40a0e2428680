declare global {
  interface JSON {
    /** ECMAScript proposal "JSON.parse source text access", in Node since version 21. */
    rawJSON(text: string): object;
  }
}

/**
 * A number that only room versions before 6 let into an event: a fraction, an exponent, an integer beyond 2^53-1. What
 * counts for hashes and signatures is its text, which a JavaScript number does not keep.
 */
export class LooseNumber {
  /** As the servers that made such events write it (those of Python): `1.0`, `51146.98`, `1e+16`. */
  readonly text: string;
  /** The nearest double. */
  readonly value: number;

  private constructor(text: string, value: number) {
    this.text = text;
    this.value = value;
  }

  /** From a JSON number as it stands in a text; undefined for one that no double can hold. */
  static parse(source: string): LooseNumber | undefined {
    const value = Number(source);
    if (!Number.isFinite(value)) return undefined;
    return new LooseNumber(/[.eE]/.test(source) ? pythonFloat(value) : String(BigInt(source)), value);
  }

  toJSON(): object {
    return JSON.rawJSON(this.text);
  }
}

/** Works on anything, so that type guards can be built on it. */
export function isLooseNumber(value: unknown): value is LooseNumber {
  return value instanceof LooseNumber;
}

/**
 * The shortest text that reads back as the same double. Python and JavaScript agree on its digits, not on where an
 * exponent begins and not on `.0`.
 */
function pythonFloat(value: number): string {
  if (Object.is(value, -0)) return '-0.0';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const plain = plainDigits(digits, power);
  return plain.includes('.') ? plain : `${plain}.0`;
}

/** `d.ddd` times ten to the power, written out; the power is between -4 and 15. */
function plainDigits(mantissa: string, power: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  const whole = digits.slice(0, power + 1).padEnd(power + 1, '0');
  const fraction = digits.slice(power + 1);
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}
