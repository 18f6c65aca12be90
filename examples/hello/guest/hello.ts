// A web server in a wasm pod: answers GET / with its name, and ends itself at GET /crash so that one can watch it restart.
import { accept, close, read, write } from "./wasi";

const name = process.env.has("POD_NAME") ? process.env.get("POD_NAME") : "nobody";
const address = process.env.has("POD_IP") ? process.env.get("POD_IP") : "nowhere";

function answer(fd: i32, status: string, body: string): void {
  write(fd, "HTTP/1.1 " + status + "\r\ncontent-type: text/plain\r\ncontent-length: " + String.UTF8.byteLength(body).toString() + "\r\nconnection: close\r\n\r\n" + body);
  close(fd);
}

console.log(name + " listens at " + address);
let count = 0;
while (true) {
  const connection = accept();
  if (connection < 0) {
    console.error("cannot accept a connection");
    process.exit(1);
  }
  const line = read(connection).split("\r\n")[0];
  const path = line.split(" ").length > 1 ? line.split(" ")[1] : "/";
  count++;
  console.log(line);
  if (path == "/crash") {
    answer(connection, "200 OK", "goodbye from " + name + "\n");
    console.error(name + " was asked to crash");
    unreachable();
  }
  answer(connection, path == "/" ? "200 OK" : "404 Not Found", path == "/" ? "hello from " + name + " at " + address + ", request " + count.toString() + "\n" : "not found\n");
}
