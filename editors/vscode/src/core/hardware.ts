/** What the machine has that decides which libraries it needs. */
import { existsSync } from "node:fs";
import path from "node:path";

/** Files that are there where NVIDIA's driver is, under Linux and in the Linux of Windows. */
const DRIVER = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"] as const;

/**
 * Whether PyTorch makes the server faster here: with a GPU of NVIDIA's, or with Apple's processors. On others the
 * server computes with kernels of its own.
 */
export function hasGpu(platform: NodeJS.Platform, arch: string, exists = existsSync): boolean {
  if (platform === "darwin") {
    return arch === "arm64";
  }
  if (platform === "win32") {
    return exists(path.win32.join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "nvcuda.dll"));
  }
  return DRIVER.some((file) => exists(file));
}
