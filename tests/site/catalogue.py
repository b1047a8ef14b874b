# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the offline site knows: its songs and how it describes them.

A song of catalogue.json is {"title", "uploader", "duration", "files": {itag: name}, ...}; with "error"
it is refused in those words.  Any id "copyNNNNNxA" is one more copy of a short song (x: t tune, l loud,
k kept, s short, h in fragments, a only AAC, n without a duration), so that a test can have as many as it likes.
"""
import json
import os
import re
import time

# what the extractor says of a format, and the type that the server says
TYPES = {
    '251': ({'ext': 'webm', 'acodec': 'opus', 'vcodec': 'none', 'asr': 48000, 'abr': 128,
             'container': 'webm_dash'}, 'audio/webm'),
    '140': ({'ext': 'm4a', 'acodec': 'mp4a.40.2', 'vcodec': 'none', 'asr': 44100, 'abr': 128,
             'container': 'm4a_dash'}, 'audio/mp4'),
    '18': ({'ext': 'mp4', 'acodec': 'mp4a.40.2', 'vcodec': 'avc1.42001E', 'width': 640, 'height': 360}, 'video/mp4'),
    '247': ({'ext': 'webm', 'acodec': 'none', 'vcodec': 'vp9', 'width': 320, 'height': 180,
             'container': 'webm_dash'}, 'video/webm'),
    '234': ({'ext': 'mp4', 'acodec': 'mp4a.40.2', 'vcodec': 'none', 'protocol': 'm3u8_native'}, ''),
}
CHUNK_BYTES = 10 << 20
COPIES = {'t': 'tuneAAAAAAA', 'l': 'loudAAAAAAA', 'k': 'keptAAAAAAA', 's': 'shortAAAAAA', 'h': 'hlsOnlyAAAA',
          'a': 'aacOnlyAAAA', 'n': 'noLengthAAA'}


class Catalogue:
    def __init__(self, media_dir):
        self.dir = media_dir
        with open(os.path.join(media_dir, 'catalogue.json'), encoding='utf-8') as f:
            self.all = json.load(f)

    def find(self, video_id):
        """(the id it is known by, the song or None)"""
        asked = self.all['aliases'].get(video_id, video_id)
        copy = re.fullmatch(r'copy\d{5}([tlkshan])A', asked)
        return asked, self.all['videos'].get(COPIES[copy[1]] if copy else asked)

    def path(self, video_id, itag):
        song = self.find(video_id)[1]
        name = (song or {}).get('files', {}).get(itag)
        return name and os.path.join(self.dir, name)

    def format(self, video_id, itag, resolve, fault):
        """One format, handed to the downloader in the style that FAULT asks for."""
        described, _ = TYPES[itag]
        out = dict(described, format_id=itag, http_headers={'X-Encore-Format': itag})
        if itag == '234':
            return dict(out, url=f'/hls/{video_id}/index.m3u8')
        size = os.path.getsize(self.path(video_id, itag))
        expire = time.time() + fault.get('expire_s', 6 * 3600)
        url = f'/media/{video_id}/{itag}?expire={expire:.3f}&n={resolve}'
        out.update(url=url, protocol='http', filesize=size)
        chunk, style = fault.get('chunk_bytes', CHUNK_BYTES), fault.get('style', 'plain')
        if style == 'chunk':
            out['downloader_options'] = {'http_chunk_size': chunk}
        elif style == 'dashy':
            out['protocol'] = 'http_dash_segments'
            out['fragments'] = [{'url': f'{url}&range={at}-{min(at + chunk, size) - 1}'}
                                for at in range(0, size, chunk)]
        if not fault.get('announce', True):
            del out['filesize']
        out.update(fault.get('format', {}))
        return out

    def video(self, video_id, resolve, fault):
        asked, song = self.find(video_id)
        if song is None:
            return {'error': 'Video unavailable'}
        if 'error' in song:
            return {'error': song['error']}
        info = {'id': asked, 'webpage_url': 'https://www.youtube.com/watch?v=' + asked,
                'extractor_key': 'Youtube', 'live_status': 'not_live'}
        info.update({k: v for k, v in song.items() if k != 'files'})
        info['formats'] = [self.format(asked, itag, resolve, fault) for itag in song.get('files', {})]
        info.update(fault.get('info', {}))
        return {k: v for k, v in info.items() if v is not None}

    def search(self, words):
        wanted = re.findall(r'\w+', words.lower())
        return {'hits': [{'id': i, 'title': s['title'], 'duration': s.get('duration')}
                         for i, s in self.all['videos'].items()
                         if 'files' in s and wanted and all(w in s['title'].lower() for w in wanted)]}
