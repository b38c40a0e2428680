/**
 * How nginx serves Element Web on a read-only file system, as any user. What has a hash in its name is kept by browsers,
 * the rest is asked for each time, so an upgrade is seen at once. No other page may put the client into a frame.
 */
export const NGINX_CONFIG = `worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  server_tokens off;
  sendfile on;
  client_body_temp_path /tmp/client;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  map $uri $kept {
    ~^/bundles/ "public, max-age=31536000, immutable";
    default "no-cache";
  }
  server {
    listen 8080;
    root /app;
    index index.html;
    add_header Cache-Control $kept;
    add_header X-Content-Type-Options nosniff;
    add_header X-Frame-Options SAMEORIGIN;
    add_header Content-Security-Policy "frame-ancestors 'self'";
    location = /config.json { root /etc/element-web; }
  }
}
`;
