/** What Kubernetes tells a pod whose service account stands for a role of AWS, or of a provider that does it the same way. */
export interface AwsEnvironment {
  readonly roleArn: string | undefined;
  readonly tokenFile: string | undefined;
  readonly stsEndpoint: string | undefined;
}

export function awsEnvironment(): AwsEnvironment {
  return {
    roleArn: process.env['AWS_ROLE_ARN'],
    tokenFile: process.env['AWS_WEB_IDENTITY_TOKEN_FILE'],
    stsEndpoint: process.env['AWS_ENDPOINT_URL_STS'],
  };
}
