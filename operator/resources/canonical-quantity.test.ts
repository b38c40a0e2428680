import { expect, test } from 'vitest';
import { canonicalQuantity } from './canonical-quantity.ts';

const cases = [
  { name: 'a fraction of a core becomes millis', given: '0.5', wanted: '500m' },
  { name: 'a number becomes text', given: 2, wanted: '2' },
  { name: 'whole cores in millis become cores', given: '2000m', wanted: '2' },
  { name: 'millis that are no whole core stay', given: '1500m', wanted: '1500m' },
  { name: '1024 of a binary unit is one of the next', given: '1024Mi', wanted: '1Gi' },
  { name: 'a fraction of a binary unit becomes the next smaller', given: '1.5Gi', wanted: '1536Mi' },
  { name: '1000 of a decimal unit is one of the next', given: '1000M', wanted: '1G' },
  { name: 'a binary unit that is not full stays', given: '1000Ki', wanted: '1000Ki' },
  { name: 'less than 1024 bytes are written without binary unit', given: '0.5Ki', wanted: '512' },
  { name: 'zero has no unit', given: '0Gi', wanted: '0' },
  { name: 'nothing finer than a nano is kept, rounded up', given: '0.1n', wanted: '1n' },
  { name: 'what is no quantity stays for the API server to refuse', given: 'lots', wanted: 'lots' },
  { name: 'a unit alone stays', given: 'Gi', wanted: 'Gi' },
];

test.for(cases)('$name', ({ given, wanted }) => {
  expect(canonicalQuantity(given)).toBe(wanted);
});
