/** The shell says that there is nothing at this address. */
export default function NotFound() {
  return null;
}
