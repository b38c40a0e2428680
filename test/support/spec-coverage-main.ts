import { coverageReport, specCoverage } from './spec-coverage.ts';

process.stdout.write(coverageReport(await specCoverage()));
