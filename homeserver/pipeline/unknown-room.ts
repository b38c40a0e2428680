import { MatrixError } from '../errors.ts';

/** The pipeline was asked to write into a room that we do not know. */
export class UnknownRoom extends MatrixError {
  constructor() {
    super('M_NOT_FOUND', 'There is no such room.');
  }
}
