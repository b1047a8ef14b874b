# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers YouTube URLs from the loopback site of our tests.

URL forms, id parsing, format choice, downloaders, names and exit codes stay those of the real
yt-dlp; only the questions to the site go to ENCORE_FIXTURE_BASE.  Without it nothing is reached.
"""
import json
import os
import urllib.error
import urllib.parse

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.extractor.youtube import YoutubeIE, YoutubeSearchIE, YoutubeTabIE
from yt_dlp.utils import ExtractorError

BASE = os.environ.get('ENCORE_FIXTURE_BASE') or 'http://127.0.0.1:9'


def ask(ie, path, video_id):
    text = ie._download_webpage(f'{BASE}/{path}', video_id, note=False, errnote='the site does not answer')
    answer = json.loads(text)
    if answer.get('error'):
        raise ExtractorError(answer['error'], expected=True, video_id=video_id)
    return answer


class OfflineIE(YoutubeIE, plugin_name='encore'):
    def _real_extract(self, url):
        video_id = self._match_id(url)
        info = ask(self, f'resolve/video/{video_id}', video_id)
        for fmt in info.get('formats', []):
            for part in (fmt, *fmt.get('fragments', [])):
                part['url'] = urllib.parse.urljoin(BASE, part['url'])
        if info.get('formats') == []:
            self.raise_no_formats('No video formats found!', video_id=video_id)
        return info


class OfflineTabIE(YoutubeTabIE, plugin_name='encore'):
    def _real_extract(self, url):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
        list_id = query.get('list', ['none'])[0]
        found = ask(self, f'resolve/playlist/{list_id}', list_id)
        songs = [self.url_result(f'https://www.youtube.com/watch?v={song["id"]}', YoutubeIE, song['id'],
                                 song['title'], duration=song.get('duration')) for song in found['songs']]
        return self.playlist_result(songs, list_id, found['title'])


class OfflineSearchIE(YoutubeSearchIE, plugin_name='encore'):
    def _search_results(self, query):
        found = ask(self, 'resolve/search/' + urllib.parse.quote(query, safe=''), query)
        for hit in found['hits']:
            yield self.url_result(f'https://www.youtube.com/watch?v={hit["id"]}', YoutubeIE,
                                  hit['id'], hit['title'], duration=hit.get('duration'))


class OfflineSongsIE(InfoExtractor):
    """A site of its own, whose ids are those of another one."""
    _VALID_URL = r'https?://songs\.example/(?P<id>[0-9A-Za-z_-]{11})'
    IE_NAME = 'songs'

    def _real_extract(self, url):
        video_id = self._match_id(url)
        info = ask(self, f'resolve/video/{video_id}', video_id)
        for fmt in info['formats']:
            fmt['url'] = urllib.parse.urljoin(BASE, fmt['url'])
        return dict(info, extractor_key='Songs', webpage_url=f'https://songs.example/{video_id}')


for cls, original in ((OfflineIE, YoutubeIE), (OfflineTabIE, YoutubeTabIE),
                      (OfflineSearchIE, YoutubeSearchIE)):
    cls.IE_NAME = getattr(original, '__wrapped__', original).IE_NAME
