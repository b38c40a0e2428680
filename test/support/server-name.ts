/** The server name of databases and homeservers in tests. */
export const TEST_SERVER_NAME = 'test.example';
